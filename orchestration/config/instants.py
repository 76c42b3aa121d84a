"""Dates and date-times of the files: from what is written to an instant in UTC."""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import tzinfo

DATE_KEYS = frozenset({"start", "end", "once"})
"""Keys of schedules whose dates need no quotes: a date or a text, it is the same to them."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:Z|[-+]\d\d:\d\d)?", re.ASCII)
_SECOND = timedelta(seconds=1)


class InstantError(ValueError):
    """A text that does not name one instant; `help` says what to write instead."""

    def __init__(self, reason: str, *, help: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.help = help


def parse_instant(text: str, timezone: str) -> datetime:
    """The instant in UTC that a date or a date-time names; without an offset, in `timezone`.

    A date is the first instant of its day, also where clocks change at midnight.

    >>> parse_instant("2026-07-01", "Europe/Berlin").isoformat()
    '2026-06-30T22:00:00+00:00'

    Raises:
        InstantError: it is neither, or a local time that does not exist or occurs twice.
    """
    zone = UTC if timezone == "UTC" else ZoneInfo(timezone)
    is_date = _DATE.fullmatch(text) is not None
    if not is_date and not _DATE_TIME.fullmatch(text):
        raise _malformed()
    try:
        written = datetime.fromisoformat(text)
        if written.tzinfo is not None:
            return written.astimezone(UTC)
        return _first_instant(written, zone) if is_date else _only_instant(written, zone)
    except (ValueError, OverflowError) as error:
        if isinstance(error, InstantError):
            raise
        raise _malformed() from None


def _malformed() -> InstantError:
    return InstantError(
        "it is neither a date nor a date-time",
        help="write it like `2026-01-31`, `2026-01-31T18:00:00` or `2026-01-31T18:00:00+01:00`",
    )


def _first_instant(day: datetime, zone: tzinfo) -> datetime:
    early, late = _candidates(day, zone)
    if late >= early:
        return early
    before = late.astimezone(zone).utcoffset()  # in a gap, the later offset gives the earlier one

    def is_changed(seconds: int) -> bool:
        return (late + seconds * _SECOND).astimezone(zone).utcoffset() != before

    gap = range((early - late) // _SECOND + 1)
    return late + bisect_left(gap, True, key=is_changed) * _SECOND  # noqa: FBT003 - what is searched


def _only_instant(local: datetime, zone: tzinfo) -> datetime:
    early, late = _candidates(local, zone)
    if early == late:
        return early
    choices = " or ".join(
        f"`{instant.astimezone(zone).isoformat()}`" for instant in sorted((early, late))
    )
    if late < early:
        raise InstantError(
            f"that time does not exist in `{zone}`, where clocks are put forward then",
            help=f"choose another time: {choices}",
        )
    raise InstantError(
        f"that time occurs twice in `{zone}`, where clocks are put back then",
        help=f"say which one is meant: {choices}",
    )


def _candidates(local: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """The instants of a local time by the offset before a change and by the one after it.

    They are the same but near a change; in a gap the second one comes first.
    """
    first = local.replace(tzinfo=zone)
    return first.astimezone(UTC), first.replace(fold=1).astimezone(UTC)
