"""Who goes first, and how much at once."""

from __future__ import annotations

from enum import StrEnum


class Priority(StrEnum):
    """Which runs leave the queue first; those of one priority leave it in the order they came."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """As a number, the higher the earlier; `normal` is 0, which is Dagster's default."""
        return _RANKS[self]


_RANKS = {
    Priority.LOW: -10,
    Priority.NORMAL: 0,
    Priority.HIGH: 10,
    Priority.CRITICAL: 20,
}
