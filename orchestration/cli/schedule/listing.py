"""`orchestrate schedule list`: when each schedule runs next, or why it will not."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict

import click

from orchestration.cli.common import ExampleCommand, format_option, runner_file, runner_option
from orchestration.cli.output import show_instant, write_json, write_table, write_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.cli.schedule.survey import ScheduleState


class StateRow(TypedDict):
    """One schedule as scripts read it; keys and order are an interface."""

    name: str | None
    job: str | None
    tenant: str | None
    enabled: bool
    running: bool
    trigger: str | None
    timezone: str | None
    next: list[str]
    tags: dict[str, str]
    problems: list[str]


@click.command(
    "list",
    cls=ExampleCommand,
    examples=(
        "orchestrate schedule list",
        "orchestrate schedule list --next 3 --tenant acme",
        "orchestrate schedule list --active-only --filter 'tag:cadence=hourly'",
        "orchestrate schedule list --format json",
    ),
)
@click.option(
    "--active-only",
    is_flag=True,
    help="Only schedules that fire by themselves while something is up for the workspace: enabled,"
    " not paused, not broken, and not past the end of their window.",
)
@click.option(
    "--next",
    "count",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many of the next ticks to show.",
)
@click.option(
    "--filter",
    "filters",
    metavar="EXPR",
    multiple=True,
    help="Only schedules with name=GLOB, job=TENANT/NAME, tenant=NAME, tag:KEY=VALUE, or a part of"
    " the name; several terms, apart by spaces or in several --filter, must all hold.",
)
@click.option("--tenant", metavar="NAME", help="Only schedules of this tenant's jobs.")
@format_option("table", "json", "yaml")
@runner_option
def command(
    *, active_only: bool, count: int, filters: tuple[str, ...], tenant: str | None, style: str
) -> None:
    """List the schedules: when each runs next, or why it will not.

    Broken schedules, and those of broken jobs, are listed too. Below the table stands what keeps
    each schedule from running. `not running` means that nothing is up for the workspace: the next
    run is then the one that would be.
    """
    from orchestration.cli.schedule.filters import parse_filters

    is_wanted = parse_filters(filters)
    states = [
        state
        for state in _survey(count, tenant)
        if is_wanted(state)
        and tenant in (None, state.tenant)
        and (state.is_active or not active_only)
    ]
    match style:
        case "json":
            write_json([state_row(state) for state in states])
        case "yaml":
            write_yaml([state_row(state) for state in states])
        case _:
            _write_people(states)


def state_row(state: ScheduleState) -> StateRow:
    """The schedule as scripts read it."""
    return {
        "name": state.name,
        "job": state.job,
        "tenant": state.tenant,
        "enabled": state.enabled,
        "running": state.running,
        "trigger": state.trigger,
        "timezone": state.timezone,
        "next": [tick.isoformat() for tick in state.next],
        "tags": dict(state.tags),
        "problems": [reason.text for reason in state.reasons],
    }


def state_cells(state: ScheduleState) -> tuple[str, ...]:
    """The schedule as a row of the table (001-50); several ticks stand below each other."""
    return (
        state.name or "-",
        state.job or "-",
        state.trigger or "-",
        "\n".join(map(show_instant, state.next)) or "-",
        str(state.status),
    )


def explanations(states: Sequence[ScheduleState]) -> list[str]:
    """A line for each schedule that something is the matter with, then what all of them share."""
    own = [
        f"{state.name or '-'}: {'; '.join(texts)}"
        for state in states
        if (texts := [reason.text for reason in state.reasons if not reason.shared])
    ]
    shared = [reason.text for state in states for reason in state.reasons if reason.shared]
    return [*own, *dict.fromkeys(shared)]


def _survey(count: int, tenant: str | None) -> list[ScheduleState]:
    from orchestration.cli.errors import DatabaseError
    from orchestration.cli.holds import find_holds
    from orchestration.cli.lookup import check_tenant, view_workspace
    from orchestration.cli.schedule.entries import read_entries, refuse_unreadable
    from orchestration.cli.schedule.live import find_live
    from orchestration.cli.schedule.survey import Survey

    file = runner_file()
    workspace = view_workspace(file)
    entries, is_whole = read_entries(file.read_bytes(), file, os.environ)
    if not is_whole and not workspace.schedules:
        refuse_unreadable(workspace.problems, file)
    check_tenant(workspace, tenant)
    live = find_live(workspace.settings.state_directory)
    try:
        holds = find_holds(workspace, os.environ)
    except DatabaseError:
        holds = None
    now = datetime.now(UTC)
    return Survey(workspace, entries, live, holds=holds, now=now, count=count).look()


def _write_people(states: Sequence[ScheduleState]) -> None:
    header = ("NAME", "JOB", "SCHEDULE", "NEXT RUN", "STATUS")
    write_table([state_cells(s) for s in states], header=header, empty="There are no schedules.")
    if lines := explanations(states):
        click.echo("\n" + "\n".join(lines))
