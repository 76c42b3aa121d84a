"""The instants at which the triggers fire that follow from the time alone.

The rule for cron, on the wall clock of the trigger's zone: a time that does not exist fires at the
first instant after the gap; one that occurs twice fires once, at the second occurrence; where every
hour fires, the ticks follow elapsed time. One exception, which is Dagster's: where the gap does not
begin between 01:00 and 03:59, the time is moved by the length of the gap (`00:30` to `01:30`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from typing import TypeGuard
from zoneinfo import ZoneInfo

from cronsim import CronSim

from orchestration.domain.cron import fires_every_hour
from orchestration.domain.schedule import (
    CronTrigger,
    IntervalTrigger,
    Schedule,
    TimeTrigger,
    Trigger,
)
from orchestration.domain.zones import ZoneChange, offset_at, zone_changes

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_WIDEST = timedelta(days=32)
_LAST = datetime(9990, 1, 1, tzinfo=UTC)
_HOURS_MOVED_TO_THE_END = (1, 2, 3)
"""The hours in which Dagster expects a gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DstNote:
    """What a change of the clocks does to a trigger: at `instant` it fires as `text` says."""

    instant: datetime
    text: str


def is_timed(trigger: Trigger) -> TypeGuard[TimeTrigger]:
    """Whether the ticks of `trigger` follow from the time alone."""
    return isinstance(trigger, CronTrigger | IntervalTrigger)


def ticks(trigger: TimeTrigger, *, start: datetime, end: datetime) -> Iterator[datetime]:
    """The instants from `start` (inclusive) to `end` (exclusive), in order and in the trigger's zone;
    that of intervals is UTC.
    """
    if isinstance(trigger, IntervalTrigger):
        yield from _grid(trigger, start, end)
        return
    zone = ZoneInfo(trigger.timezone)
    at, width = start.astimezone(UTC), _DAY
    while at < end:
        stop = min(at + width, end.astimezone(UTC))
        found = {
            instant
            for expression in trigger.expressions
            for instant in _fires(expression, zone, at, stop)
            if at <= instant < stop
        }
        yield from (instant.astimezone(zone) for instant in sorted(found))
        at, width = stop, min(2 * width, _WIDEST)


def schedule_ticks(schedule: Schedule, *, start: datetime, end: datetime) -> Iterator[datetime]:
    """The ticks of a schedule within its own window; none where its trigger is not timed."""
    if is_timed(schedule.trigger):
        first = max(start, schedule.start or start)
        last = min(end, schedule.end or end)
        if first < last:
            yield from ticks(schedule.trigger, start=first, end=last)


def next_ticks(schedule: Schedule, *, after: datetime, count: int) -> tuple[datetime, ...]:
    """The first `count` ticks after `after` (exclusive); fewer where the schedule ends."""
    coming = schedule_ticks(schedule, start=after, end=_LAST)
    return tuple(islice((tick for tick in coming if tick > after), count))


def dst_notes(trigger: TimeTrigger, *, start: datetime, end: datetime) -> tuple[DstNote, ...]:
    """For each change of the clocks that touches a tick between `start` and `end`: what happens.

    Intervals follow UTC, and so have none.
    """
    if isinstance(trigger, IntervalTrigger):
        return ()
    zone = ZoneInfo(trigger.timezone)
    notes = [
        note
        for change in zone_changes(zone, start=start - _DAY, end=end + _DAY)
        for note in _notes_on(change, trigger, zone)
        if start <= note.instant < end
    ]
    return tuple(sorted(notes, key=lambda note: note.instant.astimezone(UTC)))


def _grid(trigger: IntervalTrigger, start: datetime, end: datetime) -> Iterator[datetime]:
    origin = _EPOCH + trigger.offset
    at = origin + -((origin - start) // trigger.interval) * trigger.interval
    while at < end:
        yield at
        at += trigger.interval


def _fires(expression: str, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """The instants of one expression from `start` to `end`, in UTC and in no order; near a change of
    the clocks there may be some outside.
    """
    is_hourly = fires_every_hour(expression)
    changes = list(zone_changes(zone, start=start - _DAY, end=end + _DAY))
    begins = [start - _DAY, *(change.instant for change in changes)]
    for begin, change in zip(begins, [*changes, None], strict=True):
        offset = offset_at(zone, begin)
        until = min(change.instant, end) if change else end
        walls = _walls(expression, _wall(max(begin, start), offset), _wall(until, offset))
        if change and not is_hourly:
            yield from (_after_gap(wall, change) for wall in _lost(expression, change))
            walls = _before_repeat(walls, change)
        yield from (_instant(wall, offset) for wall in walls)


def _lost(expression: str, change: ZoneChange) -> Iterator[datetime]:
    """The times that match and do not exist; none where the clock jumps backwards."""
    return _walls(expression, change.left, change.reached)


def _before_repeat(walls: Iterator[datetime], change: ZoneChange) -> Iterator[datetime]:
    """The times before those that come again after the change, if it is one backwards."""
    return takewhile(lambda wall: wall < change.reached, walls)


def _walls(expression: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """The times that match on a wall clock without changes, from `start` and before `end`."""
    matcher, times = _matcher(expression)
    midnight = datetime.combine(start, time())
    while midnight < end:
        if midnight.month in matcher.months and matcher.match_day(midnight):
            for time_of_day in times:
                wall = midnight + time_of_day
                if start <= wall < end:
                    yield wall
        midnight += _DAY


@lru_cache(maxsize=1024)
def _matcher(expression: str) -> tuple[CronSim, tuple[timedelta, ...]]:
    """What knows the days of `expression`, and its times of the day in order."""
    matcher = CronSim(expression, _EPOCH)
    times = (
        timedelta(hours=hour, minutes=minute)
        for hour in sorted(matcher.hours)
        for minute in sorted(matcher.minutes)
    )
    return matcher, tuple(times)


def _after_gap(wall: datetime, change: ZoneChange) -> datetime:
    if wall.hour in _HOURS_MOVED_TO_THE_END:
        return change.instant
    return _instant(wall, change.before)


def _wall(instant: datetime, offset: timedelta) -> datetime:
    return instant.replace(tzinfo=None) + offset


def _instant(wall: datetime, offset: timedelta) -> datetime:
    return wall.replace(tzinfo=UTC) - offset


def _notes_on(change: ZoneChange, trigger: CronTrigger, zone: ZoneInfo) -> Iterator[DstNote]:
    first, last = sorted([change.left, change.reached])
    touched = {
        is_hourly: sorted(
            {
                wall
                for expression in trigger.expressions
                if fires_every_hour(expression) is is_hourly
                for wall in _walls(expression, first, last)
            }
        )
        for is_hourly in (False, True)
    }
    is_gap = change.after > change.before
    if touched[False]:
        describe = _describe_gap if is_gap else _describe_repeat
        yield from describe(touched[False], change, zone)
    if touched[True]:
        span = f"{first:%Y-%m-%d %H:%M} to {last:%H:%M}"
        fate = "does not exist in" if is_gap else "occurs twice in"
        text = f"{span} {fate} {zone.key}: where every hour fires, ticks follow elapsed time"
        yield DstNote(instant=change.instant.astimezone(zone), text=text)


def _describe_gap(walls: list[datetime], change: ZoneChange, zone: ZoneInfo) -> Iterator[DstNote]:
    moved: dict[datetime, list[datetime]] = {}
    for wall in walls:
        moved.setdefault(_after_gap(wall, change).astimezone(zone), []).append(wall)
    for instant, lost in moved.items():
        verb, once = ("do not exist", " once,") if len(lost) > 1 else ("does not exist", "")
        text = f"{_list_times(lost)} {verb} in {zone.key}: fires{once} at {instant:%H:%M}"
        yield DstNote(instant=instant, text=text)


def _describe_repeat(
    walls: list[datetime], change: ZoneChange, zone: ZoneInfo
) -> Iterator[DstNote]:
    verb = "occur" if len(walls) > 1 else "occurs"
    yield DstNote(
        instant=_instant(walls[0], change.after).astimezone(zone),
        text=f"{_list_times(walls)} {verb} twice in {zone.key}: fires at the second",
    )


def _list_times(walls: list[datetime]) -> str:
    return f"{walls[0]:%Y-%m-%d} " + ", ".join(f"{wall:%H:%M}" for wall in walls)
