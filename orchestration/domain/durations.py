"""Durations as people write them: `90s`, `15m`, `2h`, `1h30m`, `7d`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
_LONGEST = timedelta(days=3650)


def parse_duration(text: str) -> timedelta:
    """The duration that `text` says: one or more number-unit pairs, units s, m, h, d.

    >>> parse_duration("1h30m")
    datetime.timedelta(seconds=5400)

    Raises:
        ValueError: the text is not of that form, is zero, or is longer than ten years.
    """
    if not _WHOLE.fullmatch(text):
        raise ValueError("a duration is written like `90s`, `15m`, `2h`, `1h30m` or `7d`")
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(text))
    if not 0 < seconds <= _LONGEST.total_seconds():
        raise ValueError("a duration is longer than zero and at most `3650d`")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """The duration in the fewest units that lose no whole second: `2h`, `1h30m`, `45s`, `0.25s`.

    Parsing the result gives `duration` back, save for parts below a millisecond.
    """
    total = duration.total_seconds()
    if total < 60:
        return f"{round(total, 3):g}s"
    rest = round(total)
    parts: list[str] = []
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, _UNIT_SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
