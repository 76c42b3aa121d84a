"""When jobs run: triggers and the schedules that carry them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from orchestration.domain.cron import join_times
from orchestration.domain.durations import format_duration
from orchestration.domain.limits import Priority
from orchestration.domain.problem import Location

_MINUTE = timedelta(minutes=1)
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class CronTrigger:
    """Fires at the ticks of any of `expressions` (normalised, five fields), in `timezone`."""

    expressions: tuple[str, ...]
    timezone: str = "UTC"

    @property
    def description(self) -> str:
        """The trigger as `schedule list` shows it."""
        return f"{' | '.join(self.expressions)} ({self.timezone})"


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalTrigger:
    """Fires every `interval`, start to start, on a grid anchored at the Unix epoch in UTC (T10), and
    moved by `offset`, which is below `interval`.
    """

    interval: timedelta
    offset: timedelta = timedelta(0)

    @property
    def description(self) -> str:
        """The trigger as `schedule list` shows it."""
        moved = f" + {format_duration(self.offset)}" if self.offset else ""
        return f"every {format_duration(self.interval)} (UTC grid{moved})"


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterCompletionTrigger:
    """Fires `delay` after the last run of the job has ended, however that was started (T11); at once
    where there has been none.
    """

    delay: timedelta

    @property
    def description(self) -> str:
        """The trigger as `schedule list` shows it."""
        return f"{format_duration(self.delay)} after each run"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinuousTrigger:
    """Fires `minimum_gap` after the last run of the job has ended.

    After n failures in a row it waits `error_backoff * 2 ** (n - 1)`, at most `max_error_backoff`,
    where that is longer (003-05, 003-07).
    """

    minimum_gap: timedelta
    error_backoff: timedelta
    max_error_backoff: timedelta

    @property
    def description(self) -> str:
        """The trigger as `schedule list` shows it."""
        return f"continuous, {format_duration(self.minimum_gap)} apart"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnceTrigger:
    """Fires one time for each `generation` that it is given."""

    generation: str

    @property
    def description(self) -> str:
        """The trigger as `schedule list` shows it."""
        return f"once, generation {self.generation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetTrigger:
    """Fires when the asset of another job has been updated; several updates since the last look are
    one. `asset_key` are the parts of that asset's Dagster key.
    """

    asset_key: tuple[str, ...]

    @property
    def description(self) -> str:
        """The trigger as `schedule list` shows it."""
        return f"on update of {'/'.join(self.asset_key)}"


TimeTrigger = CronTrigger | IntervalTrigger
"""The triggers whose ticks follow from the time alone."""
Trigger = TimeTrigger | AfterCompletionTrigger | ContinuousTrigger | OnceTrigger | AssetTrigger


class Overlap(StrEnum):
    """What a tick does while as many runs of the job as may be are under way: wait, or nothing."""

    QUEUE = "queue"
    SKIP = "skip"


class CatchUp(StrEnum):
    """Which of the ticks that were missed, since nobody was there to fire them, run later on."""

    LATEST = "latest"
    NONE = "none"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One entry of `runner.orchestrator.schedules`.

    `job_id` is `tenant/name` of the job it runs. `tags` are the custom tags, put on each run.
    `max_concurrent_runs` limits the runs of the job that are under way at once. It fires from
    `start` on and before `end`, both aware. `spread` is the width of the window over which such
    schedules are distributed, and `offset` what became of it for this one: `trigger` is moved by
    it already. `catch_up_window` bounds how old a missed tick may be that `catch_up` still runs.
    `priority` is None where that of the tenant holds. After `max_consecutive_errors` failed runs of
    its job in a row it is paused (None: never).
    """

    name: str
    job_id: str
    trigger: Trigger
    enabled: bool = True
    max_concurrent_runs: int = 1
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    start: datetime | None = None
    end: datetime | None = None
    overlap: Overlap = Overlap.QUEUE
    catch_up: CatchUp = CatchUp.LATEST
    catch_up_window: timedelta | None = None
    spread: timedelta = timedelta(0)
    offset: timedelta = timedelta(0)
    priority: Priority | None = None
    max_consecutive_errors: int | None = None
    location: Location

    @property
    def tenant(self) -> str:
        """The tenant of the job."""
        return self.job_id.partition("/")[0]

    def allows(self, instant: datetime) -> bool:
        """Whether `instant` lies in the window from `start` (inclusive) to `end` (exclusive)."""
        is_early = self.start is not None and instant < self.start
        return not is_early and (self.end is None or instant < self.end)


def cron_union(interval: timedelta, offset: timedelta = timedelta(0)) -> tuple[str, ...] | None:
    """The cron expressions in UTC whose union is exactly the epoch grid of `interval`, moved by
    `offset`.

    None where no union is exact: the interval is not a whole number of minutes that divides a day,
    or the offset not one of minutes.

    >>> cron_union(timedelta(minutes=90))
    ('0 0,3,6,9,12,15,18,21 * * *', '30 1,4,7,10,13,16,19,22 * * *')
    """
    minutes, rest = divmod(interval, _MINUTE)
    moved, moved_rest = divmod(offset, _MINUTE)
    if rest or moved_rest or not 0 < minutes <= _DAY_MINUTES or _DAY_MINUTES % minutes:
        return None
    if minutes < 60 and 60 % minutes == 0 and not moved % minutes:
        return (f"*/{minutes} * * * *" if minutes > 1 else "* * * * *",)
    return join_times(range(moved % minutes, _DAY_MINUTES, minutes), "* * *")
