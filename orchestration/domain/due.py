"""What is due at this moment: pure decisions over the clock, the file and the runs of a job.

Each is made anew at every look, and nothing is remembered but a cursor that Dagster keeps. Where a
look is repeated, as after a crash, it gives runs with the same keys, and Dagster launches a key
once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol, assert_never

from orchestration.domain.breaker import Admission
from orchestration.domain.describe import format_instant
from orchestration.domain.durations import format_duration
from orchestration.domain.pause import explain_pause
from orchestration.domain.schedule import (
    AfterCompletionTrigger,
    AssetTrigger,
    CatchUp,
    ContinuousTrigger,
    CronTrigger,
    IntervalTrigger,
    OnceTrigger,
    Overlap,
    Schedule,
    TimeTrigger,
)
from orchestration.domain.ticks import schedule_ticks, ticks

LATE = timedelta(minutes=5)
"""A tick that is looked at later than this has been missed, for `catch_up: none`."""
DEFAULT_CATCH_UP_WINDOW = timedelta(hours=24)
MOST_TICKS = 100
"""The missed ticks that are launched at once; the next tick or look goes on from there."""

_ON_TIME = timedelta(seconds=10)
_MOMENT = timedelta(microseconds=1)
_YEAR = timedelta(days=366)
_LONGEST_WAIT = timedelta(days=4000)
"""Longer than from one leap day to the next, and than the longest interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueRun:
    """A run to launch. Of those with one `key`, only the first is. `instant` is the tick that it
    stands for; None where the trigger has no ticks.
    """

    key: str | None = None
    instant: datetime | None = None

    @classmethod
    def of_tick(cls, instant: datetime) -> DueRun:
        """The run of a tick that may be one of several, keyed by its instant."""
        return cls(key=instant.astimezone(UTC).isoformat(), instant=instant)

    @property
    def occasion(self) -> str:
        """What sets the run apart from the others of its schedule."""
        return self.instant.astimezone(UTC).isoformat() if self.instant else self.key or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The runs that are due, or the `reason` why there are none, in plain words. `cursor` is for
    the next look.
    """

    runs: tuple[DueRun, ...] = ()
    reason: str = ""
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    """A run of the job that is over."""

    run_id: str
    ended: datetime
    failed: bool


class History(Protocol):
    """What Dagster knows of one job's runs, whoever started them. Asked for no more than needed."""

    def under_way(self, at_most: int) -> int:
        """How many runs are queued, running, or waiting for a retry, counted up to `at_most`."""
        ...

    def ended(self, count: int) -> Sequence[EndedRun]:
        """The last runs that have ended, at least `count` if there are, the latest end first."""
        ...

    def results(self, count: int) -> Sequence[EndedRun]:
        """Like `ended`, of the runs that were not cancelled and that no retry follows."""
        ...

    def last_update(self, asset_key: tuple[str, ...]) -> int:
        """A number that grows with each update of the asset; 0 where there was none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look at a schedule. `enabled` is what the file says now, and `since` when it began to, as
    far as that is known. `cursor` is what the decision before this one left. `admit` asks the
    breaker about the run of that name, and is asked last: it may let it through as the probe.
    `resumed` says when a person has resumed the schedule.
    """

    now: datetime
    enabled: bool
    history: History
    since: datetime | None = None
    cursor: str | None = None
    admit: Callable[[str], Admission] = lambda _: Admission()
    resumed: Callable[[], datetime | None] = lambda: None


def decide_tick(
    schedule: Schedule, tick: datetime, look: Look, missed: Callable[[], Sequence[datetime]]
) -> Decision:
    """What Dagster's scheduler shall launch for `tick`, the newest one that is due.

    `missed` gives the ticks before it that nobody has looked at; asked for `catch_up: all` alone.
    Of many, only the oldest are launched, and the others, `tick` with them, are still missed then.
    """
    if not look.enabled:
        return Decision(reason=_disabled(schedule))
    # In UTC: Python compares two instants of one zone by their clocks, also where those go back.
    at = tick.astimezone(UTC)
    instants = [at] if schedule.allows(at) else []
    if schedule.catch_up is CatchUp.ALL:
        instants = [*missed(), *instants][:MOST_TICKS]
    if not instants:
        return Decision(reason=_outside(schedule, at))
    if schedule.catch_up is CatchUp.NONE and look.now - tick > LATE:
        return Decision(reason=_late(tick, look.now))
    if held := _held(schedule, look):
        return Decision(reason=held)
    runs = (DueRun(instant=at),)
    if schedule.catch_up is CatchUp.ALL:
        runs = tuple(DueRun.of_tick(instant) for instant in instants)
    return _launch(look, schedule, runs)


def missed_ticks(
    schedule: Schedule, tick: datetime, bounds: Sequence[datetime]
) -> tuple[datetime, ...]:
    """The ticks before `tick` that are younger than each of `bounds` and no older than the
    `catch_up_window`. Without bounds nothing is known to have been missed.
    """
    if not bounds:
        return ()
    oldest = tick.astimezone(UTC) - (schedule.catch_up_window or DEFAULT_CATCH_UP_WINDOW)
    start = max(max(bounds) + _MOMENT, oldest)
    return tuple(schedule_ticks(schedule, start=start, end=tick))


def decide(schedule: Schedule, look: Look) -> Decision:
    """What a sensor shall launch now, for the triggers that Dagster's scheduler has no form for."""
    match schedule.trigger:
        case CronTrigger() | IntervalTrigger() as trigger:
            return _decide_ticks(schedule, trigger, look)
        case AfterCompletionTrigger() | ContinuousTrigger() as trigger:
            return _decide_following(schedule, trigger, look)
        case OnceTrigger(generation=generation):
            return _decide_once(schedule, generation, look)
        case AssetTrigger(asset_key=key):
            return _decide_asset(schedule, key, look)
        case _:
            assert_never(schedule.trigger)


def _decide_ticks(schedule: Schedule, trigger: TimeTrigger, look: Look) -> Decision:
    """Ticks are dealt with up to the cursor: one that is skipped does not come back."""
    done = _read_cursor(look.cursor, "ticks")
    here = _cursor("ticks", look.now)
    if not look.enabled:
        return Decision(reason=_disabled(schedule), cursor=here)
    if done is None:
        return Decision(reason="this is the first look; ticks count from now on", cursor=here)
    bounds = [datetime.fromisoformat(done), *([look.since] if look.since else [])]
    start = max(max(bounds) + _MOMENT, look.now - _reach(schedule, trigger))
    found = list(schedule_ticks(schedule, start=start, end=look.now + _MOMENT))
    if not found:
        return Decision(reason=_not_yet(schedule, trigger, look.now), cursor=look.cursor)
    due = _choose_ticks(schedule, found, look.now)
    if not due:
        return Decision(reason=_late(found[-1], look.now), cursor=here)
    if held := _held(schedule, look):
        return Decision(reason=held, cursor=here)
    runs = tuple(_run_of_tick(schedule, tick) for tick in due)
    decision = _launch(look, schedule, runs)
    launched = due[len(decision.runs) - 1] if decision.runs else look.now
    return replace(decision, cursor=_cursor("ticks", launched))


def _run_of_tick(schedule: Schedule, tick: datetime) -> DueRun:
    return DueRun(key=_key(schedule, tick.astimezone(UTC).isoformat()), instant=tick)


def _reach(schedule: Schedule, trigger: TimeTrigger) -> timedelta:
    """How far back a tick may lie that still matters."""
    if schedule.catch_up is CatchUp.ALL:
        return schedule.catch_up_window or DEFAULT_CATCH_UP_WINDOW
    return max(trigger.interval, _ON_TIME) if isinstance(trigger, IntervalTrigger) else _YEAR


def _choose_ticks(
    schedule: Schedule, found: Sequence[datetime], now: datetime
) -> Sequence[datetime]:
    """All ticks of the last seconds, since looks may be further apart than ticks; else the newest."""
    if schedule.catch_up is CatchUp.ALL:
        return found[:MOST_TICKS]
    if schedule.catch_up is CatchUp.NONE and now - found[-1] > LATE:
        return ()
    return [tick for tick in found if now - tick < _ON_TIME] or found[-1:]


def _decide_following(
    schedule: Schedule, trigger: AfterCompletionTrigger | ContinuousTrigger, look: Look
) -> Decision:
    """No cursor: the run before decides, and gives the next one its key."""
    if closed := _closed(schedule, look):
        return Decision(reason=closed)
    if look.history.under_way(1):
        return Decision(
            reason=f"a run of `{schedule.job_id}` is under way, queued or to be retried"
        )
    if paused := explain_pause(schedule, look.history, look.resumed):
        return Decision(reason=paused)
    runs = look.history.ended(_countable_failures(trigger) + 1)
    if not runs:
        return _launch(look, schedule, (DueRun(key=_key(schedule, f"first of {schedule.job_id}")),))
    last = runs[0]
    wait, why = _wait_after(trigger, runs)
    due = last.ended + wait
    if look.now < due:
        at = format_instant(due.replace(microsecond=0))
        return Decision(reason=f"due at {at}, {format_duration(wait)} after {why}")
    return _launch(look, schedule, (DueRun(key=f"after {last.run_id}"),))


def _wait_after(
    trigger: AfterCompletionTrigger | ContinuousTrigger, runs: Sequence[EndedRun]
) -> tuple[timedelta, str]:
    if isinstance(trigger, AfterCompletionTrigger):
        return trigger.delay, "the last run"
    failures = next((n for n, run in enumerate(runs) if not run.failed), len(runs))
    if not failures:
        return trigger.minimum_gap, "the last run"
    doublings = max(min(failures, _countable_failures(trigger)) - 1, 0)
    backoff = min(trigger.error_backoff * 2**doublings, trigger.max_error_backoff)
    times = "once" if failures == 1 else f"{failures} times in a row"
    return max(trigger.minimum_gap, backoff), f"the last run, which failed {times}"


def _countable_failures(trigger: AfterCompletionTrigger | ContinuousTrigger) -> int:
    """The number of failures in a row after which one more makes no difference to the wait."""
    if isinstance(trigger, AfterCompletionTrigger) or not trigger.error_backoff:
        return 0
    ratio = trigger.max_error_backoff // trigger.error_backoff
    return ratio.bit_length() + 1


def _decide_once(schedule: Schedule, generation: str, look: Look) -> Decision:
    """While it may not run it waits; a generation is not lost by that, nor when it is queued."""
    launched = once_cursor(generation)
    if look.cursor == launched:
        reason = f"generation `{generation}` has been launched; a new one runs it again"
        return Decision(reason=reason, cursor=launched)
    if held := _closed(schedule, look) or _held(schedule, look):
        return Decision(reason=held, cursor=look.cursor)
    runs = (DueRun(key=_key(schedule, generation)),)
    return _launch(look, schedule, runs, cursor=launched, held=look.cursor)


def _decide_asset(schedule: Schedule, key: tuple[str, ...], look: Look) -> Decision:
    """The cursor is the update seen last. One that arrives while the job is held back, as by
    `overlap: skip`, is looked at again: the data would stay behind otherwise.
    """
    name = "/".join(key)
    topic = f"asset {name} {look.since.isoformat() if look.since else 'always'}"
    newest = look.history.last_update(key)
    here = _cursor(topic, newest)
    if closed := _closed(schedule, look):
        return Decision(reason=closed, cursor=here)
    seen = _read_cursor(look.cursor, topic)
    if seen is None:
        reason = f"this is the first look; updates of `{name}` count from now on"
        return Decision(reason=reason, cursor=here)
    if newest <= int(seen):
        return Decision(reason=f"`{name}` has not been updated", cursor=look.cursor)
    if held := _held(schedule, look):
        return Decision(reason=held, cursor=look.cursor)
    runs = (DueRun(key=_key(schedule, f"{name} {newest}")),)
    return _launch(look, schedule, runs, cursor=here, held=look.cursor)


def _launch(
    look: Look,
    schedule: Schedule,
    runs: tuple[DueRun, ...],
    *,
    cursor: str | None = None,
    held: str | None = None,
) -> Decision:
    """The runs, of which a probe is the first alone, and `cursor`; or, with the cursor `held`, the
    reason why the breaker lets none of them through.
    """
    admission = look.admit(name_claimant(schedule.name, runs[0].occasion))
    if admission.refusal:
        return Decision(reason=admission.refusal, cursor=held)
    return Decision(runs=runs[:1] if admission.is_probe else runs, cursor=cursor)


def name_claimant(schedule: str, occasion: str) -> str:
    """The name under which a run asks the breaker: when it is due, and again when it starts."""
    return f"{schedule} {occasion.removeprefix(f'{schedule} ')}"


def once_cursor(generation: str) -> str:
    """The cursor of a `once` schedule that has launched this generation."""
    return _cursor("once", generation)


def _cursor(topic: str, value: datetime | int | str) -> str:
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return f"{topic} {text}"


def _read_cursor(cursor: str | None, topic: str) -> str | None:
    """The value of a cursor on that topic; None for one that another trigger has left."""
    head, _, value = (cursor or "").rpartition(" ")
    return value if head == topic else None


def _closed(schedule: Schedule, look: Look) -> str:
    """Why nothing may run now; empty if it may."""
    if not look.enabled:
        return _disabled(schedule)
    return "" if schedule.allows(look.now) else _outside(schedule, look.now)


def _disabled(schedule: Schedule) -> str:
    return f"schedule `{schedule.name}` has `enabled: false`"


def _outside(schedule: Schedule, instant: datetime) -> str:
    if schedule.start is not None and instant < schedule.start:
        return f"schedule `{schedule.name}` starts at {format_instant(schedule.start)}"
    assert schedule.end is not None  # noqa: S101 - for the type checker; `allows` has said no
    return f"schedule `{schedule.name}` ended at {format_instant(schedule.end)}"


def _not_yet(schedule: Schedule, trigger: TimeTrigger, now: datetime) -> str:
    start = now + _MOMENT
    following = next(ticks(trigger, start=start, end=start + _LONGEST_WAIT))
    if not schedule.allows(following):
        return _outside(schedule, following)
    return f"the next tick is at {format_instant(following)}"


def _late(tick: datetime, now: datetime) -> str:
    late = format_duration(timedelta(seconds=(now - tick).total_seconds() // 1))
    return (
        f"the tick at {format_instant(tick)} is {late} late,"
        f" and `catch_up: none` runs none later than {format_duration(LATE)}"
    )


def _held(schedule: Schedule, look: Look) -> str:
    """Why what is due is held back, before the breaker is asked; empty if it is not."""
    return _overlap(schedule, look.history) or explain_pause(schedule, look.history, look.resumed)


def _overlap(schedule: Schedule, history: History) -> str:
    """Why `overlap: skip` holds the run back; empty if it does not."""
    most = schedule.max_concurrent_runs
    if schedule.overlap is not Overlap.SKIP or history.under_way(most) < most:
        return ""
    several = "a run is" if most == 1 else f"{most} runs are"
    return f"`overlap: skip`: {several} under way, queued or to be retried for `{schedule.job_id}`"


def _key(schedule: Schedule, occasion: str) -> str:
    """With the name, since Dagster reads all runs with that key, and only then looks whose they are:
    one key for thousands of sensors would be millions of rows.
    """
    return f"{schedule.name} {occasion}"
