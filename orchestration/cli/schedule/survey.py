"""The state of every schedule: what the files declare, what the running instance does with it, and
why it will not run.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from orchestration.cli.holds import NO_HOLDS, Holds
from orchestration.cli.output import show_instant
from orchestration.cli.schedule.entries import find_job_of
from orchestration.domain.due import once_cursor
from orchestration.domain.schedule import CronTrigger, IntervalTrigger, OnceTrigger
from orchestration.domain.ticks import is_timed, next_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from orchestration.cli.schedule.entries import WrittenEntry
    from orchestration.cli.schedule.live import Live, Switch
    from orchestration.domain.job import BrokenJob, Job
    from orchestration.domain.problem import Problem
    from orchestration.domain.schedule import Schedule, Trigger
    from orchestration.domain.workspace import Workspace


class Status(StrEnum):
    """How a schedule stands, in a word; of several the first one here is shown."""

    BROKEN = "broken"
    DISABLED = "disabled"
    ENDED = "ended"
    DONE = "done"
    PAUSED = "paused"
    NOT_LOADED = "not loaded"
    UNKNOWN = "unknown"
    DOWN = "not running"
    HELD = "held"
    WAITING = "waiting"
    STALE = "stale"
    ACTIVE = "active"


FINAL: Final = frozenset({Status.BROKEN, Status.DISABLED, Status.ENDED, Status.DONE, Status.PAUSED})
"""With one of these nothing fires until somebody changes something about the schedule itself."""
_PRECEDENCE: Final = tuple(Status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a schedule will not run, or not as its file says now. `shared` says that all schedules of
    the workspace have it.
    """

    status: Status
    text: str
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """One schedule: `name`, `job`, `tenant` and `trigger` are None where a broken entry does not
    say. `next` are its next ticks in its own zone, none where a reason is final.
    """

    name: str | None
    job: str | None
    tenant: str | None
    enabled: bool
    running: bool
    trigger: str | None
    timezone: str | None
    next: tuple[datetime, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    reasons: tuple[Reason, ...] = ()

    @property
    def status(self) -> Status:
        """The gravest of the reasons, or that it is active."""
        return min(
            (reason.status for reason in self.reasons),
            key=_PRECEDENCE.index,
            default=Status.ACTIVE,
        )

    @property
    def is_active(self) -> bool:
        """Whether nothing about the schedule itself keeps it from firing."""
        return not any(reason.status in FINAL for reason in self.reasons)


def timezone_of(trigger: Trigger) -> str | None:
    """The zone that the ticks of a trigger are shown in; None where it has no ticks."""
    match trigger:
        case CronTrigger(timezone=timezone):
            return timezone
        case IntervalTrigger():
            return "UTC"
        case _:
            return None


class Survey:
    """Looks at all schedules of a workspace at the instant `now`, with `count` next ticks of each.

    `workspace` is as it is served, with last good versions; `entries` are those of its runner.yaml
    now; `live` is None where nothing is up; `holds` is what the instance has kept, and None where
    its database does not answer.
    """

    def __init__(
        self,
        workspace: Workspace,
        entries: Sequence[WrittenEntry],
        live: Live | None,
        *,
        holds: Holds | None = NO_HOLDS,
        now: datetime,
        count: int = 1,
    ) -> None:
        self._workspace = workspace
        self._entries = entries
        self._live = live
        self._holds = holds
        self._now = now
        self._count = count
        file = workspace.runner_file.name
        self._errors = [p for p in workspace.problems if p.is_error and p.location.file == file]
        self._jobs = {job.id: job for job in workspace.jobs}

    def look(self) -> list[ScheduleState]:
        """All schedules in the order of the file; last, those that only an older version has."""
        served = self._pair()
        states = [
            self._served(schedule, entry) if schedule else self._broken(entry)
            for entry, schedule in zip(self._entries, served, strict=True)
        ]
        taken = {schedule.name for schedule in served if schedule}
        left = [s for s in self._workspace.schedules if s.name not in taken]
        return states + [self._served(schedule, None) for schedule in left]

    def _pair(self) -> list[Schedule | None]:
        """The schedule that each entry has become: of entries with one name, the one in its place."""
        named: defaultdict[str | None, list[int]] = defaultdict(list)
        for index, entry in enumerate(self._entries):
            named[entry.name].append(index)
        served: list[Schedule | None] = [None] * len(self._entries)
        for schedule in self._workspace.schedules:
            same = named[schedule.name]
            place = (schedule.location.line, schedule.location.column)
            exact = [i for i in same if self._spot(i) == place]
            for index in (exact or same)[:1]:
                served[index] = schedule
        return served

    def _spot(self, index: int) -> tuple[int, int]:
        location = self._entries[index].location
        return (location.line, location.column)

    def _served(self, schedule: Schedule, entry: WrittenEntry | None) -> ScheduleState:
        enabled = entry.enabled if entry else schedule.enabled
        reasons = (
            *self._declared(schedule, entry, enabled=enabled),
            *self._actual(schedule),
            *self._held(schedule),
        )
        state = ScheduleState(
            name=schedule.name,
            job=schedule.job_id,
            tenant=schedule.tenant,
            enabled=enabled,
            running=self._is_running(schedule.name),
            trigger=schedule.trigger.description,
            timezone=timezone_of(schedule.trigger),
            tags=schedule.tags,
            reasons=reasons,
        )
        if not state.is_active or not is_timed(schedule.trigger):
            return state
        ticks = next_ticks(schedule, after=self._now, count=self._count)
        if not ticks:
            before = (
                f" before its window ends at {_show(schedule, schedule.end)}"
                if schedule.end
                else ""
            )
            last = Reason(status=Status.ENDED, text=f"no tick is left{before}")
            return replace(state, reasons=(last, *reasons))
        return replace(state, next=ticks)

    def _broken(self, entry: WrittenEntry) -> ScheduleState:
        """An entry that nothing was made of: it or its job has errors."""
        job = find_job_of(self._workspace, entry.text("config"))
        timezone, tags = entry.text("timezone"), entry.fields.get("tags")
        return ScheduleState(
            name=entry.name,
            job=job.id if job else None,
            tenant=job.tenant if job else None,
            enabled=entry.enabled,
            running=bool(entry.name) and self._is_running(entry.name or ""),
            trigger=None,
            timezone=timezone,
            tags={k: str(v) for k, v in tags.items()} if isinstance(tags, dict) else {},
            reasons=(Reason(status=Status.BROKEN, text=self._explain(entry, job)),),
        )

    def _explain(self, entry: WrittenEntry, job: Job | BrokenJob | None) -> str:
        if own := entry.errors_in(self._errors):
            return f"its entry is broken: {_cite(own)}"
        if job and job.id not in self._jobs:
            return f"its job `{job.id}` is broken: {_cite(self._errors_of(job))}"
        return f"runner.yaml is broken: {_cite(self._errors)}"

    def _errors_of(self, job: Job | BrokenJob) -> list[Problem]:
        file = job.location.file
        return [p for p in self._workspace.problems if p.is_error and p.location.file == file]

    def _declared(
        self, schedule: Schedule, entry: WrittenEntry | None, *, enabled: bool
    ) -> Iterator[Reason]:
        """What the files have against it."""
        if not enabled:
            where = entry.switch if entry else schedule.location
            text = f"disabled: `enabled: false` in {where.file}:{where.line}"
            yield Reason(status=Status.DISABLED, text=text)
        if schedule.end is not None and self._now >= schedule.end:
            text = f"its window is over since {_show(schedule, schedule.end)}"
            yield Reason(status=Status.ENDED, text=text)
        elif schedule.start is not None and self._now < schedule.start:
            text = f"its window has not begun: it starts at {_show(schedule, schedule.start)}"
            yield Reason(status=Status.WAITING, text=text)
        yield from self._stale(schedule, entry)

    def _stale(self, schedule: Schedule, entry: WrittenEntry | None) -> Iterator[Reason]:
        """What is broken now and runs as it was when it was right."""
        job = self._jobs[schedule.job_id]
        if entry and (own := entry.errors_in(self._errors)):
            text = f"its entry is broken, and its last good version is in force: {_cite(own)}"
            yield Reason(status=Status.STALE, text=text)
        elif not entry or not self._workspace.is_sound:
            text = f"runner.yaml is broken: {_cite(self._errors)}"
            yield Reason(status=Status.STALE, text=text, shared=True)
        if job.stale:
            cause = _cite(self._errors_of(job))
            text = f"its job `{job.id}` is broken, and its last good version is in force: {cause}"
            yield Reason(status=Status.STALE, text=text)

    def _actual(self, schedule: Schedule) -> Iterator[Reason]:
        """What the running instance has against it."""
        live, switch = self._live, self._switch(schedule.name)
        if live is None:
            text = "nothing is up for this workspace; start `orchestrate dev` or `orchestrate up`"
            yield Reason(status=Status.DOWN, text=text, shared=True)
        elif live.switches is None:
            text = f"the UI at {live.url} does not answer, so its switch there is not known"
            yield Reason(status=Status.UNKNOWN, text=text, shared=True)
        elif switch is None:
            text = "not loaded by what is running; `orchestrate reload` loads the files"
            yield Reason(status=Status.NOT_LOADED, text=text)
        elif not switch.is_on and switch.by_hand:
            yield Reason(status=Status.PAUSED, text=f"paused by hand in the UI at {live.url}")
        elif not switch.is_on and schedule.enabled:
            text = "disabled when the files were last loaded; `orchestrate reload` loads them"
            yield Reason(status=Status.NOT_LOADED, text=text)
        elif isinstance(schedule.trigger, OnceTrigger) and _is_done(schedule.trigger, switch):
            text = (
                f"generation {schedule.trigger.generation} has been launched; a new one runs again"
            )
            yield Reason(status=Status.DONE, text=text)

    def _held(self, schedule: Schedule) -> Iterator[Reason]:
        """What failures so far have against it."""
        if self._holds is None:
            text = "the database does not answer, so it is not known what failures have paused"
            yield Reason(status=Status.UNKNOWN, text=text, shared=True)
            return
        if paused := self._holds.pauses.get(schedule.name):
            yield Reason(status=Status.PAUSED, text=paused)
        breaker = self._holds.breaker_of(self._jobs[schedule.job_id])
        if breaker and breaker.since:
            yield Reason(status=Status.HELD, text=breaker.reason)

    def _switch(self, name: str) -> Switch | None:
        return (self._live.switches or {}).get(name) if self._live else None

    def _is_running(self, name: str) -> bool:
        switch = self._switch(name)
        return switch is not None and switch.is_on


def _is_done(trigger: OnceTrigger, switch: Switch) -> bool:
    return switch.cursor == once_cursor(trigger.generation)


def _show(schedule: Schedule, instant: datetime) -> str:
    """The instant in the zone of the schedule, in UTC where that has none."""
    timezone = timezone_of(schedule.trigger)
    return show_instant(instant.astimezone(ZoneInfo(timezone or "UTC")))


def _cite(problems: Sequence[Problem]) -> str:
    """The first problem with its place, and how many there are beside it."""
    if not problems:
        return "see `orchestrate validate`"
    first, more = problems[0], len(problems) - 1
    rest = f", and {more} more" if more else ""
    return f"{first.message} ({first.location}, {first.code}{rest})"
