"""The ticks of one schedule as a table that is written while it is computed."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, assert_never
from zoneinfo import ZoneInfo

import click

from orchestration.cli.output import count
from orchestration.cli.schedule.entries import find_entry, find_job_of, read_entries
from orchestration.cli.schedule.errors import BrokenScheduleError, NoTicksError
from orchestration.domain.durations import format_duration
from orchestration.domain.job import BrokenJob
from orchestration.domain.problem import format_problem
from orchestration.domain.schedule import (
    AfterCompletionTrigger,
    AssetTrigger,
    ContinuousTrigger,
    CronTrigger,
    IntervalTrigger,
    OnceTrigger,
)
from orchestration.domain.ticks import dst_notes, schedule_ticks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from orchestration.domain.problem import Problem
    from orchestration.domain.schedule import Schedule, Trigger
    from orchestration.domain.ticks import DstNote
    from orchestration.domain.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A schedule whose trigger is a function of time, and its zone."""

    schedule: Schedule
    trigger: CronTrigger | IntervalTrigger
    zone: tzinfo

    def ticks(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Its ticks from `start` (inclusive) to `end` (exclusive), within its window.

        In UTC: two times of one zone are compared by what its clocks show, which may go back.
        """
        first, last = start.astimezone(UTC), end.astimezone(UTC)
        return schedule_ticks(self.schedule, start=first, end=last)


def find_schedule(workspace: Workspace, name: str) -> Schedule:
    """The schedule with that name.

    Raises:
        UnknownScheduleError: there is none.
        BrokenScheduleError: it or its job has errors.
    """
    schedule = next((s for s in workspace.schedules if s.name == name), None)
    if schedule is None:
        raise _explain_absence(workspace, name)
    return schedule


def find_timed(workspace: Workspace, name: str) -> Timed:
    """The schedule with that name, if it has ticks.

    Raises:
        UnknownScheduleError: there is none.
        BrokenScheduleError: it or its job has errors.
        NoTicksError: it waits for something that happens.
    """
    schedule = find_schedule(workspace, name)
    match schedule.trigger:
        case CronTrigger(timezone=timezone):
            return Timed(schedule=schedule, trigger=schedule.trigger, zone=ZoneInfo(timezone))
        case IntervalTrigger():
            return Timed(schedule=schedule, trigger=schedule.trigger, zone=UTC)
        case _:
            raise NoTicksError(
                f"`{name}` has no ticks: it {describe_wait(schedule.trigger, schedule.job_id)}",
                help="`orchestrate schedule list` shows whether it is active",
            )


def describe_wait(trigger: Trigger, job_id: str) -> str:
    """What a trigger without ticks waits for, after `it`."""
    match trigger:
        case AfterCompletionTrigger(delay=delay):
            wait = format_duration(delay)
            return f"waits until a run of `{job_id}` has ended, and fires {wait} later"
        case ContinuousTrigger(minimum_gap=gap):
            wait = format_duration(gap)
            return f"waits until the run of `{job_id}` before has ended, and fires {wait} later"
        case OnceTrigger(generation=generation):
            return (
                f"waits for a new generation, and fires one time for each; this is `{generation}`"
            )
        case AssetTrigger(asset_key=key):
            return f"waits until `{'/'.join(key)}` has been updated"
        case CronTrigger() | IntervalTrigger():
            return "waits for its next tick"
        case _:
            assert_never(trigger)


def write_timetable(timed: Timed, start: datetime, end: datetime) -> None:
    """Writes the ticks from `start` (inclusive) to `end` (exclusive), then how many there are."""
    ticks = timed.ticks(start, end)
    notes = dst_notes(timed.trigger, start=start, end=end)
    click.echo(_line("TICK", "ZONE", "GAP", "NOTE"))
    number = -1
    for number, line in enumerate(render_lines(ticks, notes)):  # noqa: B007 - counted, not kept
        click.echo(line)
    click.echo(f"\n{count(number + 1, 'tick')} from {start.isoformat()} to {end.isoformat()}")


def render_lines(ticks: Iterable[datetime], notes: Iterable[DstNote]) -> Iterator[str]:
    """A line for each tick, with the real time since the one before, and with what the clocks have
    done since then.
    """
    rest = deque(notes)
    before: datetime | None = None
    for tick in ticks:
        instant = tick.astimezone(UTC)
        gap = format_duration(instant - before) if before else "-"
        texts: list[str] = []
        while rest and rest[0].instant <= instant:
            texts.append(rest.popleft().text)
        yield _line(tick.isoformat(), f"{tick:%Z}", gap, "; ".join(texts))
        before = instant


def _line(tick: str, zone: str, gap: str, note: str) -> str:
    return f"{tick:<25}  {zone:<5}  {gap:<10}  {note}".rstrip()


def _explain_absence(workspace: Workspace, name: str) -> BrokenScheduleError:
    """Why the schedule is not in the workspace; raises where runner.yaml has none of that name."""
    file = workspace.runner_file
    entries, _ = read_entries(file.read_bytes(), file, os.environ)
    entry = find_entry(entries, name)
    errors = [problem for problem in workspace.problems if problem.is_error]
    own = entry.errors_in(errors) or _errors_of_job(workspace, entry.text("config"))
    shown = "\n".join(map(format_problem, own or errors))
    return BrokenScheduleError(
        f"the schedule `{name}` or its job is broken:\n{shown}",
        help="correct the errors; `orchestrate validate` checks the files again",
    )


def _errors_of_job(workspace: Workspace, config: str | None) -> list[Problem]:
    job = find_job_of(workspace, config)
    return [p for p in job.problems if p.is_error] if isinstance(job, BrokenJob) else []
