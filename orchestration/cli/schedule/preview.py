"""`orchestrate schedule preview`: the ticks of a schedule between two instants."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import (
    ExampleCommand,
    format_option,
    read_workspace,
    runner_file,
    runner_option,
)
from orchestration.cli.schedule.names import name_argument

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@click.command(
    "preview",
    cls=ExampleCommand,
    examples=(
        "orchestrate schedule preview globex_cities_daily",
        "orchestrate schedule preview globex_countries_hourly --from 2026-03-29 --to 2026-03-30",
        "orchestrate schedule preview globex_cities_daily --from 2026-06-01 --format json",
    ),
)
@name_argument(nargs=1)
@click.option(
    "--from",
    "start",
    metavar="INSTANT",
    help="A date or date-time, inclusive; in the schedule's zone where it has no offset."
    " By default now.",
)
@click.option(
    "--to", "end", metavar="INSTANT", help="The same, exclusive. By default 7 days after --from."
)
@format_option("table", "json", "yaml")
@runner_option
def command(*, name: str, start: str | None, end: str | None, style: str) -> None:
    """Show the ticks of a schedule between two instants.

    They are those that fire, within the window of the schedule, also where it is disabled. The table
    has the gap to the tick before, and what the clocks do. Starts nothing and needs nothing to be
    up.
    """
    from orchestration.cli.schedule.instants import read_range
    from orchestration.cli.schedule.timetable import find_timed, write_timetable

    timed = find_timed(read_workspace(runner_file()), name)
    first, last = read_range(start, end, zone=timed.zone, now=datetime.now(UTC))
    if style == "table":
        write_timetable(timed, first, last)
        return
    instants = (tick.isoformat() for tick in timed.ticks(first, last))
    for part in render_json(instants) if style == "json" else render_yaml(instants):
        click.echo(part, nl=False)


def render_json(instants: Iterable[str]) -> Iterator[str]:
    """A JSON list of the texts in parts, as `write_json` would write it whole."""
    opening = "[\n"
    for instant in instants:
        yield f"{opening}  {json.dumps(instant)}"
        opening = ",\n"
    yield "[]\n" if opening == "[\n" else "\n]\n"


def render_yaml(instants: Iterable[str]) -> Iterator[str]:
    """A YAML list of the texts in parts."""
    empty = True
    for instant in instants:
        yield f"- '{instant}'\n"
        empty = False
    if empty:
        yield "[]\n"
