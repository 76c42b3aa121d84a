"""Where the clocks of a time zone change: the instants and the offsets before and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_STEP = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneChange:
    """A change of a zone's offset from UTC at `instant` (UTC). The wall clock jumps from `left` to
    `reached` (both without zone): forwards, and the times between do not exist, or backwards, and
    they occur twice.
    """

    instant: datetime
    before: timedelta
    after: timedelta

    @property
    def left(self) -> datetime:
        """The wall-clock time at which the clock jumps."""
        return self.instant.replace(tzinfo=None) + self.before

    @property
    def reached(self) -> datetime:
        """The wall-clock time to which the clock jumps."""
        return self.instant.replace(tzinfo=None) + self.after


def zone_changes(
    zone: ZoneInfo, *, start: datetime, end: datetime, step: timedelta = _STEP
) -> Iterator[ZoneChange]:
    """The changes of `zone` after `start` and up to `end`, in order.

    A change that is taken back within `step` is not seen; none has been since 1970, for a day.
    """
    at = start.astimezone(UTC)
    while at < end:
        following = min(at + step, end.astimezone(UTC))
        if offset_at(zone, at) != offset_at(zone, following):
            yield _find_change(zone, at, following)
        at = following


def offset_at(zone: ZoneInfo, instant: datetime) -> timedelta:
    """What the clocks of `zone` are ahead of UTC at `instant`."""
    return instant.astimezone(zone).utcoffset() or timedelta(0)


@lru_cache(maxsize=1024)
def _find_change(zone: ZoneInfo, low: datetime, high: datetime) -> ZoneChange:
    before = offset_at(zone, low)
    low = low.replace(microsecond=0)
    while high - low > _SECOND:
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if offset_at(zone, middle) == before:
            low = middle
        else:
            high = middle
    return ZoneChange(instant=high, before=before, after=offset_at(zone, high))
