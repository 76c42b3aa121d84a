"""When schedules fire: from their fields to triggers and windows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from orchestration.config import field_rules, workspace_rules
from orchestration.config.instants import InstantError, parse_instant
from orchestration.config.runner_file import TRIGGER_KEYS
from orchestration.config.spreading import spread_trigger
from orchestration.config.trigger_options import check_options
from orchestration.config.words import describe, show, suggest
from orchestration.domain.cron import CronError, normalise_cron, uneven_steps
from orchestration.domain.durations import format_duration
from orchestration.domain.schedule import (
    AfterCompletionTrigger,
    AssetTrigger,
    ContinuousTrigger,
    CronTrigger,
    IntervalTrigger,
    OnceTrigger,
)

if TYPE_CHECKING:
    from orchestration.config.document import Document, Place
    from orchestration.config.runner_file import ScheduleEntry
    from orchestration.domain.cron import UnevenStep
    from orchestration.domain.schedule import Trigger

_SENSOR_PERIOD = timedelta(seconds=5)
"""How often the sensors look that serve the intervals which no cron expressions give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When a schedule fires. The asset key of an `AssetTrigger` is as written until all jobs are
    known. `offset` is by how much its spread has moved `trigger`.
    """

    trigger: Trigger
    start: datetime | None = None
    end: datetime | None = None
    offset: timedelta = timedelta(0)


def read_timing(
    document: Document, place: Place, entry: ScheduleEntry, *, faulty: frozenset[str]
) -> Timing | None:
    """When the schedule entry at `place` fires; None if it does not say so in one way.

    What is wrong is reported, and then the result is not to be used. `faulty` are keys of the entry
    that have been reported already.
    """
    before = document.error_count
    kind = _find_kind(document, place, entry, faulty)
    is_zone = _check_timezone(document, (*place, "timezone"), entry.timezone)
    if kind is None:
        return None
    check_options(document, place, entry, kind)
    trigger = _read_trigger(document, place, entry, kind)
    start, end = _read_window(document, place, entry) if is_zone else (None, None)
    offset = timedelta(0)
    is_timed = isinstance(trigger, CronTrigger | IntervalTrigger)
    if entry.spread and is_timed and document.error_count == before:
        where = (*place, "spread")
        trigger, offset = spread_trigger(document, where, entry.name, trigger, entry.spread)
    return Timing(trigger=trigger, start=start, end=end, offset=offset)


def _find_kind(
    document: Document, place: Place, entry: ScheduleEntry, faulty: frozenset[str]
) -> str | None:
    """The key of the one trigger that the entry has."""
    given = [key for key in TRIGGER_KEYS if key in entry.model_fields_set]
    if "continuous" in given and not entry.continuous:
        _refuse_false(document, (*place, "continuous"))
    elif len(given) == 1:
        return given[0]
    elif given:
        keys = ", ".join(f"`{key}`" for key in given)
        where = (*place, given[1])
        name = show(entry.name)
        document.report(workspace_rules.SEVERAL_TRIGGERS, where, on="key", name=name, keys=keys)
    elif not faulty.intersection(TRIGGER_KEYS):
        document.report(workspace_rules.NO_TRIGGER, place, name=show(entry.name))
    return None


def _refuse_false(document: Document, place: Place) -> None:
    document.report(
        field_rules.BAD_VALUE,
        place,
        field="continuous",
        found=describe(document, place, value=False),
        expected="`true`",
        cure="remove it, or switch the schedule off with `enabled: false`",
    )


def _read_trigger(document: Document, place: Place, entry: ScheduleEntry, kind: str) -> Trigger:
    match kind:
        case "cron":
            return _read_cron(document, place, entry)
        case "interval_seconds":
            return _read_interval(document, place, entry)
        case "after_completion_seconds":
            return AfterCompletionTrigger(delay=timedelta(seconds=entry.after_completion_seconds))
        case "continuous":
            return ContinuousTrigger(
                minimum_gap=timedelta(seconds=entry.minimum_gap_seconds),
                error_backoff=timedelta(seconds=entry.error_backoff_seconds),
                max_error_backoff=timedelta(seconds=entry.max_error_backoff_seconds),
            )
        case "once":
            return OnceTrigger(generation=entry.once)
        case _:
            return AssetTrigger(asset_key=tuple(entry.on_asset.split("/")))


def _read_cron(document: Document, place: Place, entry: ScheduleEntry) -> CronTrigger:
    is_list = document.has((*place, "cron", 0))
    expressions = [
        _read_expression(document, (*place, "cron", index) if is_list else (*place, "cron"), text)
        for index, text in enumerate(entry.cron)
    ]
    return CronTrigger(expressions=tuple(dict.fromkeys(expressions)), timezone=entry.timezone)


def _read_expression(document: Document, place: Place, text: str) -> str:
    result = _judge_cron(text)
    if isinstance(result, CronError):
        document.report(workspace_rules.BAD_CRON, place, reason=result.reason, cure=result.help)
        return text
    for uneven in result.uneven:
        document.report(
            workspace_rules.UNEVEN_STEP,
            place,
            step=uneven.step,
            field=uneven.field,
            size=uneven.size,
        )
    return result.expression


@dataclass(frozen=True, slots=True)
class _Cron:
    expression: str
    uneven: tuple[UnevenStep, ...]


@lru_cache(maxsize=4096)
def _judge_cron(text: str) -> _Cron | CronError:
    try:
        expression = normalise_cron(text)
    except CronError as error:
        return error
    return _Cron(expression, uneven_steps(expression))


def _read_interval(document: Document, place: Place, entry: ScheduleEntry) -> IntervalTrigger:
    interval = timedelta(seconds=entry.interval_seconds)
    zone = entry.timezone
    if zone != "UTC" and zone in _timezones() and not (entry.start or entry.end):
        document.report(workspace_rules.INTERVAL_TIMEZONE, (*place, "timezone"))
    if interval < _SENSOR_PERIOD:
        where = (*place, "interval_seconds")
        shown = format_duration(interval)
        document.report(workspace_rules.SHORT_INTERVAL, where, interval=shown)
    return IntervalTrigger(interval=interval)


def _read_window(
    document: Document, place: Place, entry: ScheduleEntry
) -> tuple[datetime | None, datetime | None]:
    start = _read_instant(document, (*place, "start"), entry.start, entry.timezone)
    end = _read_instant(document, (*place, "end"), entry.end, entry.timezone)
    if start and end and end <= start:
        document.report(workspace_rules.EMPTY_WINDOW, (*place, "end"), name=show(entry.name))
    elif end and end <= datetime.now(UTC):
        document.report(workspace_rules.PAST_WINDOW, (*place, "end"), name=show(entry.name))
    return start, end


def _read_instant(document: Document, place: Place, text: str, zone: str) -> datetime | None:
    if not text:
        return None
    try:
        return parse_instant(text, zone)
    except InstantError as error:
        document.report(
            workspace_rules.BAD_INSTANT,
            place,
            field=place[-1],
            found=describe(document, place, text),
            reason=error.reason,
            cure=error.help,
        )
    return None


def _check_timezone(document: Document, place: Place, name: str) -> bool:
    if name == "UTC" or name in _timezones():
        return True
    document.report(
        workspace_rules.UNKNOWN_TIMEZONE, place, hint=suggest(name, _timezones()), name=show(name)
    )
    return False


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())
