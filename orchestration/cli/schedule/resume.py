"""`orchestrate schedule resume`: ends the pause that failures in a row have made."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import ExampleCommand, runner_file, runner_option
from orchestration.cli.output import count
from orchestration.cli.schedule.names import name_argument

if TYPE_CHECKING:
    from orchestration.defs.pauses import Pauses
    from orchestration.defs.shared_values import Connect
    from orchestration.domain.schedule import Schedule


@click.command(
    "resume",
    cls=ExampleCommand,
    examples=("orchestrate schedule resume globex_cities_daily",),
)
@name_argument(nargs=-1)
@runner_option
def command(names: tuple[str, ...]) -> None:
    """Let schedules fire again that failures have paused.

    `max_consecutive_errors` of a schedule pauses it after so many failed runs of its job in a row.
    The runs that have ended by now count no more. Changes no file, and needs nothing to be up.
    """
    from orchestration.cli.holds import find_connection
    from orchestration.cli.lookup import view_workspace
    from orchestration.cli.schedule.timetable import find_schedule

    workspace = view_workspace(runner_file())
    schedules = [find_schedule(workspace, name) for name in dict.fromkeys(names)]
    connect = find_connection(workspace, os.environ)
    pauses = _open_pauses(connect) if connect else None
    paused = pauses.reasons(schedules) if pauses else {}
    for schedule in schedules:
        if pauses and schedule.name in paused:
            pauses.resume(schedule.name)
            click.echo(_describe(schedule, schedule.max_consecutive_errors or 0))
        else:
            click.echo(f"`{schedule.name}` is not paused by failures")


def _open_pauses(connect: Connect) -> Pauses:
    """Dagster is imported only where there is an instance to ask."""
    from orchestration.defs.pauses import Pauses

    return Pauses(connect)


def _describe(schedule: Schedule, most: int) -> str:
    more = count(most, "failed run") + (" in a row" if most > 1 else "")
    return f"`{schedule.name}` resumed; {more} of `{schedule.job_id}` will pause it again"
