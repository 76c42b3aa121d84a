"""Judges what an instance did, from its log alone: one run for each tick, none lost, none doubled.

In the manner of Jepsen's test of Chronos: the ticks that had to be are matched with the runs that
were. Pure; times are in seconds since 1970, as the processes and the instance have stamped them.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

PATIENCE_SECONDS = 60
"""A tenant whose process was killed runs again so soon after the restart."""
UNDECIDED_SECONDS = 30
"""A tick may take so long from its instant to its run; one that is younger when something is killed
may be lost with it.
"""
AFTER_A_LOOK_SECONDS = 5
"""So long after a look at a schedule has told its end it may still keep the next one from beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as the instance has it. `tick` is the instant that it stands for, `root` the first run of
    those that repeat each other. `started` is None while it waits.
    """

    run_id: str
    root: str
    schedule: str
    tick: float
    tenant: str
    status: str
    created: float
    started: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A process of a job from its start to its last sign of life; `done` if that was its own end."""

    run_id: str
    tenant: str
    start: float
    end: float
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """From the moment when a process was killed until another one had taken its place. `looked` is
    when the scheduler had looked again at each schedule.
    """

    start: float
    end: float
    looked: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The scheduler has decided about a tick, from its instant until `end`. A full minute at which it
    still does passes by: it looks at the schedule again at the next one.
    """

    tick: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What happened until `end`.

    `ticks` are the instants that each schedule had, ascending, and those to come; only those before
    `until` are judged. `latest` names the schedules of which only the newest of several missed
    ticks has to run. `looks` are those at each schedule.
    """

    ticks: Mapping[str, Sequence[float]]
    latest: frozenset[str]
    runs: Sequence[Run]
    works: Sequence[Work]
    outages: Sequence[Outage]
    until: float
    end: float
    looks: Mapping[str, Sequence[Look]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """`kind` is `lost`, `doubled`, `unfinished`, `repeated`, `unexpected`, `overlap` or `held`."""

    kind: str
    at: float
    text: str


def check(log: Log) -> list[Violation]:
    """All that went wrong, in the order of time. No violation is also found where nothing ran at
    all and no tick was due: judge the number of ticks as well.
    """
    found = [*_ticks(log), *_unexpected(log), *_overlaps(log), *_held(log)]
    return sorted(found, key=lambda violation: (violation.at, violation.kind))


def _ticks(log: Log) -> Iterator[Violation]:
    done = {work.run_id: work.start for work in log.works if work.done}
    for schedule, ticks in log.ticks.items():
        own = [run for run in log.runs if run.schedule == schedule]
        for tick, following in pairwise(ticks):
            if tick >= log.until:
                break
            runs = [run for run in own if run.tick == tick]
            what = f"the tick of {schedule} at {tick:.0f}"
            roots = {run.root for run in runs}
            if not runs:
                if schedule not in log.latest or not (
                    _is_overtaken(tick, following, log.outages)
                    or _is_passed_by(tick, log.looks.get(schedule, ()))
                ):
                    yield Violation(kind="lost", at=tick, text=f"{what} has no run")
                continue
            if len(roots) > 1:
                text = f"{what} has {len(roots)} runs: {', '.join(sorted(roots))}"
                yield Violation(kind="doubled", at=tick, text=text)
            if all(run.status != "SUCCESS" for run in runs):
                states = ", ".join(f"{run.run_id} {run.status}" for run in runs)
                text = f"{what} was not run to its end: {states}"
                yield Violation(kind="unfinished", at=tick, text=text)
            times = sum(run.run_id in done for run in runs)
            if times > len(roots):
                text = f"{what} was run {times} times to the end of its command"
                again = sorted(done[run.run_id] for run in runs if run.run_id in done)[1]
                yield Violation(kind="repeated", at=again, text=text)


def _is_overtaken(tick: float, following: float, outages: Sequence[Outage]) -> bool:
    """Whether the tick was not decided yet when something was killed, and not alone when it could be."""
    return any(
        outage.start - UNDECIDED_SECONDS <= tick and following <= outage.looked
        for outage in outages
    )


def _is_passed_by(tick: float, looks: Sequence[Look]) -> bool:
    """Whether the look at an earlier tick of the schedule was not over yet."""
    return any(look.tick < tick < look.end + AFTER_A_LOOK_SECONDS for look in looks)


def _unexpected(log: Log) -> Iterator[Violation]:
    for run in log.runs:
        if run.tick not in log.ticks.get(run.schedule, ()):
            text = f"run {run.run_id} of {run.schedule} stands for no tick: {run.tick:.0f}"
            yield Violation(kind="unexpected", at=run.created, text=text)


def _overlaps(log: Log) -> Iterator[Violation]:
    """Each tenant has one slot."""
    works = sorted(log.works, key=lambda work: (work.tenant, work.start))
    for tenant, own in groupby(works, key=lambda work: work.tenant):
        last: Work | None = None
        for work in own:
            if last is not None and work.start < last.end:
                text = f"{tenant} ran {work.run_id} beside {last.run_id}"
                yield Violation(kind="overlap", at=work.start, text=text)
            last = work if last is None or work.end > last.end else last


def _held(log: Log) -> Iterator[Violation]:
    """A run that waits although nothing of its tenant runs waits for a slot that nobody gives back."""
    for run in log.runs:
        works = [work for work in log.works if work.tenant == run.tenant]
        until = run.started if run.started is not None else log.end
        if run.started is None and run.status in ("FAILURE", "CANCELED"):
            continue
        free_at = run.created
        for outage in log.outages:
            if free_at < outage.end and outage.start < until:
                free_at = outage.end
        ends = sorted(work.end for work in works if work.start < until and work.end <= until)
        free_at = max([free_at, *ends[bisect_right(ends, free_at) :]])
        if until - free_at > PATIENCE_SECONDS:
            text = f"run {run.run_id} of {run.tenant} waited {until - free_at:.0f} s for nothing"
            yield Violation(kind="held", at=free_at, text=text)
