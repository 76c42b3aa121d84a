"""Where errors become messages and exit codes: 2 wrong input, 3 our bug, 130 and 143 signals."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration import __version__
from orchestration.cli.group import cli
from orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXIT_WRONG = 2
EXIT_BUG = 3
EXIT_INTERRUPTED = 130
_ENV_OPTIONS = ("--env", "-e")
_ASSIGNED_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=(?!=*$)")


def run_cli(arguments: Sequence[str], command: click.Command = cli) -> int:
    """The exit code of `orchestrate` with these arguments; nothing but an exit escapes from it."""
    try:
        return command.main(list(arguments), prog_name="orchestrate", standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        return EXIT_WRONG
    except click.Abort:
        return EXIT_INTERRUPTED
    except OrchestrationError as error:
        click.echo(str(error), err=True)
        return EXIT_WRONG
    except Exception as error:  # noqa: BLE001 - the boundary of the command line
        click.echo(_report_bug(error, arguments), err=True)
        return EXIT_BUG


def _report_bug(error: Exception, arguments: Sequence[str]) -> str:
    summary = f"{type(error).__name__}: {error}".splitlines()[0]
    try:
        place = f"the traceback is in {_write_crash(error, arguments)}"
    except OSError:
        traceback.print_exception(error)
        place = "the traceback is above"
    return (
        f"error ORC600: a bug in orchestrate {__version__} ({summary})\n"
        f"   help: {place}; report it with the command that you ran"
    )


def _write_crash(error: Exception, arguments: Sequence[str]) -> Path:
    now = datetime.now(UTC)
    path = _crash_folder() / f"crash-{now:%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    head = (
        f"orchestrate {__version__}, Python {sys.version.split()[0]}, {sys.platform}, {now:%c} UTC"
    )
    command = " ".join(_without_values(arguments))
    trace = "".join(traceback.format_exception(error))
    path.touch(mode=0o600, exist_ok=False)  # a traceback may quote the files
    path.write_text(f"{head}\norchestrate {command}\n\n{trace}", encoding="utf-8")
    return path


def _without_values(arguments: Sequence[str]) -> Iterator[str]:
    """The arguments without the values of `--env NAME=VALUE`, which may be secrets; what follows
    `--env` without being an assignment may be one that was mistyped.
    """
    for before, argument in zip(("", *arguments), arguments, strict=False):
        if before in _ENV_OPTIONS:
            name = _ASSIGNED_NAME.match(argument)
            yield f"{name[0]}..." if name else "..."
        else:
            yield f"{argument.split('=')[0]}=..." if "=" in argument else argument


def _crash_folder() -> Path:
    """`.orchestrate/logs` of the current folder where there is one, else the temporary folder."""
    state = Path(".orchestrate").absolute()
    if not state.is_dir():
        return Path(tempfile.gettempdir())
    logs = state / "logs"
    logs.mkdir(exist_ok=True)
    return logs
