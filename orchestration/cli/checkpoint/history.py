"""`orchestrate checkpoint history`: the versions of a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestration.cli.common import ExampleCommand, format_option, runner_file, runner_option
from orchestration.cli.output import count, show_instant, write_json, write_table
from orchestration.cli.run import complete_job

if TYPE_CHECKING:
    from orchestration.runner.checkpoints import Version

_HEADER = ("version", "stored at", "by", "size", "digest")
_DIGEST_LENGTH = 12


@click.command(
    "history",
    cls=ExampleCommand,
    examples=(
        "orchestrate checkpoint history acme/events",
        "orchestrate checkpoint history acme/events --format json",
    ),
)
@click.argument("job", shell_complete=complete_job)
@format_option("table", "json")
@runner_option
def command(*, job: str, style: str) -> None:
    """List the last versions of the checkpoint of a job.

    The newest comes first; the last ten are kept. The first line is what the next run starts from.
    """
    from orchestration.cli.checkpoint.lookup import find_checkpoints, version_row

    found = find_checkpoints(runner_file(), job)
    history = found.history()
    if style == "json":
        write_json([version_row(version) for version in history])
        return
    write_table([_cells(version) for version in history], header=_HEADER, empty="")


def _cells(version: Version) -> tuple[str, ...]:
    at, origin = version.stored_at, version.origin
    return (
        str(version.number),
        show_instant(at) if at else "-",
        _maker(version) if origin is None else f"run {origin.run_id}, attempt {origin.attempt}",
        "-" if version.digest is None else count(version.size, "byte"),
        "reset" if version.digest is None else version.digest[:_DIGEST_LENGTH],
    )


def _maker(version: Version) -> str:
    return "hand" if version.stored_at else "an earlier release"
