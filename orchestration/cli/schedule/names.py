"""The argument NAME of the commands, which the shell completes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orchestration.cli.common import runner_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

_F = TypeVar("_F", bound="Callable[..., Any]")


def complete_name(ctx: click.Context, _: click.Parameter, typed: str) -> list[CompletionItem]:
    """The names of schedules that begin with what was typed, for the shell."""
    from click.shell_completion import CompletionItem

    from orchestration.cli.schedule.entries import read_entries

    with ctx:
        file = runner_file()
    entries, _is_whole = read_entries(file.read_bytes(), file, os.environ)
    names = [entry.name for entry in entries if entry.name]
    return [CompletionItem(name) for name in names if name.startswith(typed)]


def name_argument(*, nargs: int) -> Callable[[_F], _F]:
    """Adds `NAME` (1) or `NAME...` (-1) to a command, as `name` or `names`."""
    return click.argument(
        "name" if nargs == 1 else "names",
        metavar="NAME" if nargs == 1 else "NAME...",
        nargs=nargs,
        required=True,
        shell_complete=complete_name,
    )
