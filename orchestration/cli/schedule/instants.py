"""The instants that a person names on the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from orchestration.cli.schedule.errors import InstantError

DEFAULT_SPAN: Final = timedelta(days=7)
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 9989
"""Far enough from the years that have no datetime that ticks and days around them have one."""


def parse_instant(text: str, *, zone: tzinfo, option: str) -> datetime:
    """The instant of a date or a date-time, in `zone` where it has no offset of its own.

    A local time that the clocks skip is moved on by the length of the gap; of one that occurs twice
    the first is meant.

    Raises:
        InstantError: the text of `option` is neither, or too long ago or ahead.
    """
    try:
        written = datetime.fromisoformat(text)
        if not _FIRST_YEAR <= written.year <= _LAST_YEAR:
            raise InstantError(
                f"`{option} {text}` is out of range",
                help=f"name an instant of the years {_FIRST_YEAR} to {_LAST_YEAR}",
            )
        local = written if written.tzinfo else written.replace(tzinfo=zone)
        return local.astimezone(UTC).astimezone(zone)
    except ValueError:
        raise InstantError(
            f"`{option} {text}` is no instant",
            help="write a date or a date-time: `2026-03-29`, `2026-03-29T02:30`, or with an offset"
            " `2026-03-29T02:30:00+02:00`",
        ) from None


def read_range(
    start: str | None, end: str | None, *, zone: tzinfo, now: datetime
) -> tuple[datetime, datetime]:
    """From `start`, by default now, to `end`, by default 7 days later.

    Raises:
        InstantError: one of them cannot be read, or the range ends before it begins.
    """
    first = (
        parse_instant(start, zone=zone, option="--from")
        if start is not None
        else now.astimezone(zone)
    )
    last = parse_instant(end, zone=zone, option="--to") if end is not None else first + DEFAULT_SPAN
    if last.astimezone(UTC) < first.astimezone(UTC):
        raise InstantError(
            f"the range ends at {last.isoformat()}, before it begins at {first.isoformat()}",
            help="give a --to that is after --from (by default now)",
        )
    return first, last
