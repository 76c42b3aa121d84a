"""One Dagster schedule an entry of `runner.yaml`, each with a gate that the file controls live."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

import dagster as dg

from orchestration.defs import tags
from orchestration.domain.job import Job
from orchestration.domain.schedule import CronTrigger, IntervalTrigger, Schedule, cron_union

Gate = Callable[[str], bool | None]
"""Whether the schedule of that name is enabled in the file now; None where the file can't tell."""


@dataclass(frozen=True, slots=True, eq=False)  # Dagster hashes it, by identity
class ScheduleEvaluation:
    """What happens at a tick: a run of the schedule's job, unless the file says no."""

    schedule: Schedule
    job: Job
    gate: Gate

    def __call__(self, _context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """The run to launch, or why there is none."""
        enabled = self.gate(self.schedule.name)
        if not (self.schedule.enabled if enabled is None else enabled):
            return dg.SkipReason(f"schedule `{self.schedule.name}` has `enabled: false`")
        return dg.RunRequest(
            job_name=self.job.tenant,
            asset_selection=[dg.AssetKey(self.job.asset_key)],
            tags={**self.schedule.tags, **tags.job_tags(self.job)},
        )


def build_schedule(schedule: Schedule, job: Job, gate: Gate) -> dg.ScheduleDefinition:
    """The Dagster schedule of an entry: running from the start if it is enabled."""
    crons, timezone = _crons(schedule)
    running = dg.DefaultScheduleStatus.RUNNING
    stopped = dg.DefaultScheduleStatus.STOPPED
    return dg.ScheduleDefinition(
        name=schedule.name,
        job_name=job.tenant,
        cron_schedule=crons[0] if len(crons) == 1 else crons,
        execution_timezone=timezone,
        execution_fn=ScheduleEvaluation(schedule, job, gate),
        default_status=running if schedule.enabled else stopped,
        description=f"Runs `{job.id}`: {schedule.trigger.description}.",
        tags=dict(schedule.tags),
    )


def _crons(schedule: Schedule) -> tuple[list[str], str]:
    match schedule.trigger:
        case CronTrigger(expressions=expressions, timezone=timezone):
            return list(expressions), timezone
        case IntervalTrigger(interval=interval):
            union = cron_union(interval)
            if union is None:
                raise ValueError(f"the interval of schedule `{schedule.name}` has no exact cron")
            return list(union), "UTC"
        case _:
            assert_never(schedule.trigger)
