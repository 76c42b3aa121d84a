"""When the jobs of a tenant leave a connector alone for a while, since it keeps failing.

The breaker of a tenant and a connector is a value; what happens makes a new one of it. Nothing here
keeps, locks or waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self, cast

from orchestration.domain.durations import format_duration
from orchestration.domain.events import JsonValue
from orchestration.domain.stamps import parse_stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """The `breaker` of a connector: after `failures` failed attempts of a tenant's jobs within
    `within` its schedules skip for `open_for`; then one run probes whether it works again.
    """

    failures: int = 5
    within: timedelta = timedelta(minutes=10)
    open_for: timedelta = timedelta(minutes=15)


class BreakerState(StrEnum):
    """Whether scheduled runs start: all, none, or one that finds out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The scheduled run that was let through a half-open breaker, and when."""

    claimant: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Whether a scheduled run may start. It may unless there is a `refusal`. While the breaker is
    half-open it is a probe, and must be alone.
    """

    refusal: str = ""
    is_probe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """`failures` are the instants of the last failed attempts that count, in order, no more than the
    policy asks for. `opened` is when it opened last, and None while it is closed.
    """

    failures: tuple[datetime, ...] = ()
    opened: datetime | None = None
    probe: Probe | None = None

    def state(self, policy: BreakerPolicy, now: datetime) -> BreakerState:
        """How it stands at `now`."""
        if self.opened is None:
            return BreakerState.CLOSED
        is_over = now - self.opened >= policy.open_for
        return BreakerState.HALF_OPEN if is_over else BreakerState.OPEN

    def count(self, policy: BreakerPolicy, now: datetime) -> int:
        """How many failed attempts count at `now`."""
        return len(self._counted(policy, now))

    def next_probe(self, policy: BreakerPolicy, now: datetime) -> datetime | None:
        """From when on a run may probe; None while it is closed. A probe that has not ended after
        `open_for` is waited for no more, though it may still run.
        """
        if self.opened is None:
            return None
        probe = self._live_probe(policy, now)
        return (probe.since if probe else self.opened) + policy.open_for

    def record_failure(
        self, policy: BreakerPolicy, now: datetime, began: datetime | None = None
    ) -> Breaker:
        """After an attempt that failed at `now`, and `began` just before if nothing is said of that.

        One that fails while it is open changes nothing about when it is probed. Whatever fails while
        it is half-open opens it again, unless it began before the breaker opened: that says nothing
        of the source as it is now.
        """
        stamps = sorted((*self._counted(policy, now), now))
        failures = tuple(stamps[-policy.failures :])
        opens = {
            BreakerState.CLOSED: len(failures) == policy.failures,
            BreakerState.OPEN: False,
            BreakerState.HALF_OPEN: began is None or self.opened is None or began >= self.opened,
        }[self.state(policy, now)]
        if opens:
            return Breaker(failures=failures, opened=now)
        return replace(self, failures=failures)

    def admit(self, policy: BreakerPolicy, claimant: str, now: datetime) -> Breaker | None:
        """The breaker after the scheduled run `claimant` has asked to start; None if it may not.

        The first to ask while it is half-open is let through as the probe, as often as it asks.
        """
        match self.state(policy, now):
            case BreakerState.CLOSED:
                return self
            case BreakerState.OPEN:
                return None
            case BreakerState.HALF_OPEN:
                probe = self._live_probe(policy, now)
                if probe is None:
                    return replace(self, probe=Probe(claimant=claimant, since=now))
                return self if probe.claimant == claimant else None

    def explain(self, policy: BreakerPolicy, now: datetime) -> str:
        """How it stands, and why, for a person."""
        following = self.next_probe(policy, now)
        if self.opened is None or following is None:
            return (
                f"closed, with {_times(len(self.failures))} within {format_duration(policy.within)}"
            )
        if probe := self._live_probe(policy, now):
            return (
                f"half-open: `{probe.claimant}` probes since {_at(probe.since)} whether it works;"
                f" the next probe is at {_at(following)} if that has not ended by then"
            )
        if self.state(policy, now) is BreakerState.HALF_OPEN:
            return (
                f"half-open since {_at(following)}: the next scheduled run probes whether it works"
            )
        return (
            f"open since {_at(self.opened)}, after {_times(len(self.failures))};"
            f" the next probe is at {_at(following)}"
        )

    def _counted(self, policy: BreakerPolicy, now: datetime) -> tuple[datetime, ...]:
        """The failures that led to an open breaker are not forgotten as long as it is."""
        if self.opened is not None:
            return self.failures
        return tuple(at for at in self.failures if now - at <= policy.within)

    def _live_probe(self, policy: BreakerPolicy, now: datetime) -> Probe | None:
        is_live = self.probe is not None and now - self.probe.since < policy.open_for
        return self.probe if is_live else None

    def to_json(self) -> dict[str, JsonValue]:
        """The value that `from_json` reads."""
        value: dict[str, JsonValue] = {"failures": [at.isoformat() for at in self.failures]}
        if self.opened is not None:
            value["opened"] = self.opened.isoformat()
        if self.probe is not None:
            value["probe"] = [self.probe.claimant, self.probe.since.isoformat()]
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, JsonValue]) -> Self:
        """What `to_json` has made a value of.

        Raises:
            ValueError: it is none of these.
        """
        try:
            opened, probe = cast("str | None", value.get("opened")), value.get("probe")
            claimant, since = cast("list[str]", probe) if probe is not None else ("", "")
            return cls(
                failures=tuple(map(parse_stamp, cast("list[str]", value["failures"]))),
                opened=None if opened is None else parse_stamp(opened),
                probe=Probe(claimant=claimant, since=parse_stamp(since)) if since else None,
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"this is no breaker: {value}") from error


CLOSED = Breaker()
"""The breaker of a connector that works: what a success makes of any other."""


def _times(failures: int) -> str:
    return "1 failed attempt" if failures == 1 else f"{failures} failed attempts"


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S %Z}"
