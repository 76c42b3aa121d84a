"""When jobs run: triggers and the schedules that carry them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from orchestration.domain.durations import format_duration
from orchestration.domain.problem import Location

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
    """Fires every `interval`, start to start, on a grid anchored at the Unix epoch in UTC (T10)."""

    interval: timedelta

    @property
    def description(self) -> str:
        """The trigger as `schedule list` shows it."""
        return f"every {format_duration(self.interval)} (UTC grid)"


Trigger = CronTrigger | IntervalTrigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One entry of `runner.orchestrator.schedules`.

    `job_id` is `tenant/name` of the job it runs. `tags` are the custom tags, put on each run.
    `max_concurrent_runs` limits the runs of the job that are under way at once.
    """

    name: str
    job_id: str
    trigger: Trigger
    enabled: bool = True
    max_concurrent_runs: int = 1
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    location: Location


def cron_union(interval: timedelta) -> tuple[str, ...] | None:
    """The cron expressions in UTC whose union is exactly the epoch grid of `interval`.

    None where no union is exact: the interval is not a whole number of minutes that divides a day.

    >>> cron_union(timedelta(minutes=90))
    ('0 0,3,6,9,12,15,18,21 * * *', '30 1,4,7,10,13,16,19,22 * * *')
    """
    minutes, rest = divmod(interval, timedelta(minutes=1))
    if rest or not 0 < minutes <= _DAY_MINUTES or _DAY_MINUTES % minutes:
        return None
    if minutes < 60 and 60 % minutes == 0:
        return (f"*/{minutes} * * * *" if minutes > 1 else "* * * * *",)
    hours_by_minute: dict[int, list[int]] = {}
    for tick in range(0, _DAY_MINUTES, minutes):
        hours_by_minute.setdefault(tick % 60, []).append(tick // 60)
    minutes_by_hours: dict[str, list[int]] = {}
    for minute, hours in sorted(hours_by_minute.items()):
        text = "*" if len(hours) == 24 else ",".join(map(str, hours))
        minutes_by_hours.setdefault(text, []).append(minute)
    return tuple(
        f"{','.join(map(str, minutes))} {hours} * * *"
        for hours, minutes in minutes_by_hours.items()
    )
