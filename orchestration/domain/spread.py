"""How schedules that say the same time are distributed over a window, so as not to start at once."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

_MINUTE = timedelta(minutes=1)


def choose_offset(name: str, spread: timedelta) -> timedelta:
    """By how many whole minutes below `spread` the schedule `name` is moved: always the same for a
    name, and as good as evenly distributed over many.

    >>> choose_offset("orders", timedelta(minutes=10))
    datetime.timedelta(seconds=300)

    Raises:
        ValueError: `spread` is shorter than a minute.
    """
    choices = spread // _MINUTE
    if choices < 1:
        raise ValueError("a spread is at least one minute")
    return int.from_bytes(sha256(name.encode()).digest()) % choices * _MINUTE
