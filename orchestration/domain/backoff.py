"""How long to wait before the next attempt: growth, a ceiling, and chance that can be recomputed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import assert_never

_SPREAD = 3
"""How many times the wait before a decorrelated wait may be."""
_BITS = 53
"""As many random bits as a float holds."""


class Jitter(StrEnum):
    """How a delay is drawn by lot, so that what failed together does not come back together."""

    NONE = "none"
    FULL = "full"
    EQUAL = "equal"
    DECORRELATED = "decorrelated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The waits after failed attempts, in seconds; none is below 0 or above `ceiling`."""

    initial: float
    ceiling: float
    multiplier: float
    jitter: Jitter

    def delay(self, attempt: int, seed: str) -> float:
        """The wait after attempt `attempt` (from 1). The same seed always gives the same one."""
        if self.jitter is Jitter.DECORRELATED:
            return self._decorrelated(attempt, seed)
        low, high = self.bounds(attempt)
        return _between(low, high, draw(seed, attempt))

    def bounds(self, attempt: int) -> tuple[float, float]:
        """The shortest and the longest wait that any seed gives after attempt `attempt`."""
        grown = min(self.ceiling, _grow(self.initial, self.multiplier, attempt - 1))
        match self.jitter:
            case Jitter.NONE:
                return grown, grown
            case Jitter.FULL:
                return 0.0, grown
            case Jitter.EQUAL:
                return grown / 2, grown
            case Jitter.DECORRELATED:
                longest = min(self.ceiling, _grow(self.initial, _SPREAD, attempt))
                return min(self.initial, self.ceiling), longest
            case _:
                assert_never(self.jitter)

    def _decorrelated(self, attempt: int, seed: str) -> float:
        """Each wait lies between the first delay and three times the wait before.

        The ceiling cuts the range and not what is drawn from it: else most waits would be the
        ceiling before long, all the same again.
        """
        low = wait = min(self.initial, self.ceiling)
        for number in range(1, attempt + 1):
            wait = _between(low, min(self.ceiling, _SPREAD * wait), draw(seed, number))
        return wait


def draw(seed: str, attempt: int) -> float:
    """A number from 0 inclusive to 1 exclusive, by lot and yet a function of its arguments: every
    process that knows the seed knows the delays.
    """
    digest = blake2b(f"{seed}/{attempt}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> (64 - _BITS)) / (1 << _BITS)


def _between(low: float, high: float, share: float) -> float:
    return min(high, low + (high - low) * share)


def _grow(initial: float, factor: float, times: int) -> float:
    try:
        return initial * float(factor) ** times
    except OverflowError:
        return float("inf") if initial else 0.0
