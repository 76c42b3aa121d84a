"""Cron expressions with which Dagster fires exactly the ticks of a trigger.

Mostly those of the trigger itself. Dagster 1.13 has faster code for the simplest expressions, which
is wrong on some days of some zones: `30 23 * * *` in America/Santiago fires at the first of two
23:30 and then fails until somebody resets the schedule, `30 2 * * *` in Africa/Casablanca fires an
hour early at the end of Ramadan, and `0 * * * *` in Australia/Lord_Howe fires at half past. Its
general code is right there, and February in an expression of its own is enough to get it. The same
cures the 29th of each month, with which it fails in March of leap years.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim

from orchestration.domain.schedule import IntervalTrigger, TimeTrigger, cron_union
from orchestration.domain.zones import ZoneChange, zone_changes

_HOUR = timedelta(hours=1)
_ZERO = timedelta(0)
_EXPECTED_HOURS = frozenset([1, 2, 3])
_FIRST = datetime(2020, 1, 1, tzinfo=UTC)
_LAST = datetime(2040, 1, 1, tzinfo=UTC)
_SHORTEST_SEASON = timedelta(days=14)


def exact_crons(trigger: TimeTrigger) -> tuple[str, ...] | None:
    """The expressions, for the zone of `trigger`, where that of intervals is UTC.

    None where there are none: an interval that is not a union of crons, and hours of a zone whose
    clocks jump by more than an hour or from a quarter to, as in Antarctica/Troll and
    Pacific/Chatham.
    """
    if isinstance(trigger, IntervalTrigger):
        return cron_union(trigger.interval, trigger.offset)
    exact: dict[str, None] = {}
    for expression in trigger.expressions:
        parts = _exact_parts(expression, trigger.timezone)
        if parts is None:
            return None
        exact.update(dict.fromkeys(parts))
    return tuple(exact)


@lru_cache(maxsize=4096)
def _exact_parts(expression: str, timezone: str) -> tuple[str, ...] | None:
    matcher = CronSim(expression, _FIRST)
    is_hourly = len(matcher.hours) == 24
    changes = [change for change in _changes(timezone) if _hours(change) & matcher.hours]
    if any(_is_beyond_dagster(change) for change in changes):
        return None
    zone = ZoneInfo(timezone)
    is_simple = len(matcher.months) == 12 and min(matcher.days) <= 28
    is_misfired = is_simple and any(
        _is_uneven(change) if is_hourly else _is_unexpected(change, zone) for change in changes
    )
    if is_misfired or (29 in matcher.days and 1 not in matcher.days):
        return _february_apart(expression, matcher.months)
    return (expression,)


@lru_cache(maxsize=1024)
def _changes(timezone: str) -> tuple[ZoneChange, ...]:
    zone = ZoneInfo(timezone)
    return tuple(zone_changes(zone, start=_FIRST, end=_LAST, step=_SHORTEST_SEASON))


def _hours(change: ZoneChange) -> set[int]:
    """The hours with times that do not exist, or occur twice."""
    at, last = sorted([change.left, change.reached])
    hours = set[int]()
    while at < last:
        hours.add(at.hour)
        at = at.replace(minute=0) + _HOUR
    return hours


def _is_beyond_dagster(change: ZoneChange) -> bool:
    """Dagster takes it that a gap begins on the hour, and that no change is longer than one."""
    is_gap = change.after > change.before
    return abs(change.after - change.before) > _HOUR or (is_gap and change.left.minute > 0)


def _is_uneven(change: ZoneChange) -> bool:
    return (change.after - change.before) % _HOUR != _ZERO


def _is_unexpected(change: ZoneChange, zone: ZoneInfo) -> bool:
    """Whether it is outside the hours that Dagster's faster code has in mind, or a gap to what the
    zone calls standard time.
    """
    shift = change.after - change.before
    is_to_standard = shift > _ZERO and change.instant.astimezone(zone).dst() != shift
    return is_to_standard or not _hours(change) <= _EXPECTED_HOURS


def _february_apart(expression: str, months: set[int]) -> tuple[str, ...]:
    minute, hour, day, _, weekday = expression.split(" ")
    others = "1,3-12" if len(months) == 12 else ",".join(map(str, sorted(months - {2})))
    if 2 not in months or not others:
        return (expression,)
    return tuple(f"{minute} {hour} {day} {month} {weekday}" for month in ("2", others))
