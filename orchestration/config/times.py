"""When schedules fire: from their fields to triggers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from orchestration.config import workspace_rules
from orchestration.config.words import show, suggest
from orchestration.domain.cron import CronError, normalise_cron, uneven_steps
from orchestration.domain.durations import format_duration
from orchestration.domain.schedule import CronTrigger, IntervalTrigger, cron_union

if TYPE_CHECKING:
    from orchestration.config.document import Document, Place
    from orchestration.config.runner_file import ScheduleEntry
    from orchestration.domain.cron import UnevenStep
    from orchestration.domain.schedule import Trigger

_DAY_MINUTES = 24 * 60


def read_trigger(
    document: Document, place: Place, entry: ScheduleEntry, *, faulty: frozenset[str]
) -> Trigger | None:
    """When the schedule entry at `place` fires; None if it does not say so in one way.

    What is wrong is reported, and then the result is not to be used. `faulty` are keys of the entry
    that have been reported already.
    """
    name = show(entry.name)
    if entry.cron and entry.interval_seconds:
        where = (*place, "interval_seconds")
        document.report(workspace_rules.CRON_AND_INTERVAL, where, on="key", name=name)
    elif entry.cron:
        return _read_cron(document, place, entry)
    elif entry.interval_seconds:
        return _read_interval(document, place, entry)
    elif not faulty & {"cron", "interval_seconds"}:
        document.report(workspace_rules.NO_TRIGGER, place, name=name)
    return None


def _read_cron(document: Document, place: Place, entry: ScheduleEntry) -> Trigger:
    _check_timezone(document, (*place, "timezone"), entry.timezone)
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


def _read_interval(document: Document, place: Place, entry: ScheduleEntry) -> Trigger:
    interval = timedelta(seconds=entry.interval_seconds)
    zone_place = (*place, "timezone")
    if _check_timezone(document, zone_place, entry.timezone) and entry.timezone != "UTC":
        document.report(workspace_rules.INTERVAL_TIMEZONE, zone_place)
    if cron_union(interval) is None:
        document.report(
            workspace_rules.INEXACT_INTERVAL,
            (*place, "interval_seconds"),
            interval=format_duration(interval),
            near=_near_divisors(entry.interval_seconds),
        )
    return IntervalTrigger(interval=interval)


def _near_divisors(seconds: int) -> str:
    """The whole numbers of minutes next to `seconds` that divide a day: `1200 or 1440`."""
    exact = [60 * minutes for minutes in range(1, _DAY_MINUTES + 1) if _DAY_MINUTES % minutes == 0]
    below = [number for number in exact if number < seconds][-1:]
    above = [number for number in exact if number > seconds][:1]
    return " or ".join(f"`interval_seconds: {number}`" for number in (*below, *above))


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
