"""How a schedule appears in Dagster: as what, under which name, and in which words."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from orchestration.domain.durations import format_duration
from orchestration.domain.exact import exact_crons
from orchestration.domain.schedule import (
    AfterCompletionTrigger,
    AssetTrigger,
    CatchUp,
    ContinuousTrigger,
    CronTrigger,
    IntervalTrigger,
    OnceTrigger,
    Overlap,
)
from orchestration.domain.ticks import is_timed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from orchestration.domain.schedule import Schedule, Trigger

RETRY_SENSOR = "retries"
FAULT_SENSOR = "config_problems"
OWN_SENSORS = frozenset({RETRY_SENSOR, FAULT_SENSOR})
"""The sensors that are there without an entry. No entry has such a name, see `dagster_name`."""
SENSOR_SUFFIX = "__sensor"
"""How the name of an entry's sensor ends, and that of no entry."""


def is_sensor(schedule: Schedule) -> bool:
    """Whether Dagster runs it as a sensor: its ticks are no exact union of cron expressions."""
    trigger = schedule.trigger
    return not is_timed(trigger) or exact_crons(trigger) is None


def dagster_name(schedule: Schedule) -> str:
    """The name of the Dagster schedule or sensor.

    A sensor's differs from the name of any schedule: Dagster keeps the state of both under one
    key, and one that was a schedule yesterday and is a sensor today would keep every sensor from
    being evaluated, or never run again the other way round (`add_instigator_state` of 1.13).
    """
    return f"{schedule.name}{SENSOR_SUFFIX}" if is_sensor(schedule) else schedule.name


def schedule_name(name: str, *, sensor: bool) -> str:
    """The name of the entry whose Dagster schedule, or sensor, has that name."""
    return name.removesuffix(SENSOR_SUFFIX) if sensor else name


def describe_schedule(schedule: Schedule) -> str:
    """What the schedule does, in one sentence for a person.

    Example::

        Runs `acme/airports` every 1h30m on the UTC grid; skipped while a run of it is under way.
    """
    parts = [f"Runs `{schedule.job_id}` {describe_trigger(schedule.trigger)}"]
    return "; ".join([*parts, *_conditions(schedule)]) + "."


def describe_trigger(trigger: Trigger) -> str:
    """When the trigger fires, to stand behind "runs the job"."""
    match trigger:
        case CronTrigger(expressions=expressions, timezone=timezone):
            return f"at {' and at '.join(f'`{text}`' for text in expressions)} ({timezone})"
        case IntervalTrigger(interval=interval):  # only a spread gives it an offset; see below
            return f"every {format_duration(interval)} on the UTC grid"
        case AfterCompletionTrigger(delay=delay):
            return f"{format_duration(delay)} after its last run has ended"
        case ContinuousTrigger(minimum_gap=gap, error_backoff=backoff, max_error_backoff=longest):
            return (
                f"again and again, {format_duration(gap)} apart, after failures"
                f" {format_duration(backoff)}, doubling up to {format_duration(longest)}"
            )
        case OnceTrigger(generation=generation):
            return f"once for generation `{generation}`"
        case AssetTrigger(asset_key=key):
            return f"when `{'/'.join(key)}` has been updated"
        case _:
            assert_never(trigger)


def describe_window(start: datetime | None, end: datetime | None) -> str:
    """The window in words; empty where there is none."""
    parts = [f"from {format_instant(start)} on"] if start else []
    parts += [f"before {format_instant(end)}"] if end else []
    return "only " + " and ".join(parts) if parts else ""


def format_instant(instant: datetime) -> str:
    """The instant as people read it, with its offset: `2026-01-01 00:00+01:00`, seconds if any."""
    precision = "seconds" if instant.second else "minutes"
    return instant.isoformat(sep=" ", timespec=precision)


def _conditions(schedule: Schedule) -> Iterator[str]:
    if schedule.spread:
        yield (
            f"moved by {format_duration(schedule.offset)},"
            f" chosen within a spread of {format_duration(schedule.spread)}"
        )
    if window := describe_window(schedule.start, schedule.end):
        yield window
    count = schedule.max_concurrent_runs
    if schedule.overlap is Overlap.SKIP:
        several = "a run of it is" if count == 1 else f"{count} runs of it are"
        yield f"skipped while {several} under way"
    elif count > 1:
        yield f"up to {count} runs at once"
    if schedule.catch_up is CatchUp.NONE:
        yield "a tick that was missed does not run"
    elif schedule.catch_up is CatchUp.ALL:
        yield "every tick that was missed runs" + _within(schedule)
    if errors := schedule.max_consecutive_errors:
        yield f"paused after {errors} failures in a row" if errors > 1 else "paused after a failure"
    if schedule.priority is not None:
        yield f"priority {schedule.priority}"
    if not schedule.enabled:
        yield "disabled in runner.yaml"


def _within(schedule: Schedule) -> str:
    window = schedule.catch_up_window
    return f", at most {format_duration(window)} later" if window else ""
