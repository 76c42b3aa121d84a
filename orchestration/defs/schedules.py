"""One Dagster schedule an entry of `runner.yaml` whose ticks cron expressions can say exactly."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from dagster._core.storage.tags import PARENT_RUN_ID_TAG, RETRY_NUMBER_TAG, RUN_KEY_TAG

from orchestration.defs import tags
from orchestration.defs.history import (
    InstanceHistory,
    TickHistory,
    launched_keys,
    read_tick_id,
)
from orchestration.defs.ledger import Ledger
from orchestration.defs.pauses import Pauses
from orchestration.domain.describe import dagster_name, describe_schedule
from orchestration.domain.due import (
    Decision,
    DueRun,
    Look,
    decide_tick,
    missed_ticks,
    name_claimant,
)
from orchestration.domain.exact import exact_crons
from orchestration.domain.job import Job
from orchestration.domain.schedule import AssetTrigger, CronTrigger, OnceTrigger, Schedule
from orchestration.domain.ticks import is_timed

Gate = Callable[[str], bool | None]
"""Whether the schedule of that name is enabled in the file now; None where the file can't tell."""


@dataclass(frozen=True, slots=True, eq=False)  # Dagster hashes it, by identity
class ScheduleEvaluation:
    """What happens at a tick: a run of the schedule's job, more where ticks were missed, or none.

    `since` is the moment since which the file has the schedule enabled, as far as it is known.
    """

    schedule: Schedule
    job: Job
    gate: Gate
    since: datetime | None = None

    def __call__(
        self, context: dg.ScheduleEvaluationContext
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """The runs to launch, or why there are none."""
        tick = context.scheduled_execution_time
        look = build_look(self.schedule, self.job, self.gate, context, since=self.since)
        decision = decide_tick(self.schedule, tick, look, lambda: self._missed(context, tick))
        if decision.runs:
            yield from build_requests(self.schedule, self.job, decision)
        else:
            yield dg.SkipReason(decision.reason)

    def _missed(self, context: dg.ScheduleEvaluationContext, tick: datetime) -> Sequence[datetime]:
        """The ticks before this one that have come to nothing; none in a dry run from the UI."""
        tick_id = read_tick_id(context.log_key)
        if tick_id is None:
            return ()
        bounds = TickHistory(context.instance, tick_id).bounds(tick)
        if self.since is not None:
            bounds.append(self.since)
        missed = missed_ticks(self.schedule, tick, bounds)
        if not missed:
            return ()
        launched = launched_keys(context.instance, self.schedule.name, tick, max(bounds))
        return [at for at in missed if DueRun.of_tick(at).key not in launched]


def build_schedule(
    schedule: Schedule, job: Job, gate: Gate, since: datetime | None = None
) -> dg.ScheduleDefinition:
    """The Dagster schedule of an entry: running from the start if it is enabled."""
    crons, timezone = _crons(schedule)
    running = dg.DefaultScheduleStatus.RUNNING
    stopped = dg.DefaultScheduleStatus.STOPPED
    return dg.ScheduleDefinition(
        name=dagster_name(schedule),
        job_name=job.tenant,
        cron_schedule=crons[0] if len(crons) == 1 else crons,
        execution_timezone=timezone,
        execution_fn=ScheduleEvaluation(schedule, job, gate, since),
        default_status=running if schedule.enabled else stopped,
        description=describe_schedule(schedule),
        tags=dict(schedule.tags),
    )


def build_look(
    schedule: Schedule,
    job: Job,
    gate: Gate,
    context: dg.ScheduleEvaluationContext | dg.SensorEvaluationContext,
    *,
    since: datetime | None,
    cursor: str | None = None,
) -> Look:
    """A look at the schedule in the instance of `context`. A dry run from the UI claims no probe."""
    ledger, pauses = Ledger(lambda: context.instance), Pauses(lambda: context.instance)
    is_real = read_tick_id(context.log_key) is not None
    return Look(
        now=datetime.now(UTC),
        enabled=is_enabled(schedule, gate),
        history=InstanceHistory(lambda: context.instance, schedule.job_id),
        since=since,
        cursor=cursor,
        admit=lambda claimant: ledger.admit(job, claimant, claim=is_real),
        resumed=lambda: pauses.resumed(schedule.name),
    )


def is_enabled(schedule: Schedule, gate: Gate) -> bool:
    """What the file says now; where it does not, what it said when it was loaded."""
    enabled = gate(schedule.name)
    return schedule.enabled if enabled is None else enabled


def build_requests(schedule: Schedule, job: Job, decision: Decision) -> list[dg.RunRequest]:
    """The runs of a decision as Dagster launches them, in the same order."""
    return [
        dg.RunRequest(
            run_key=run.key,
            job_name=job.tenant,
            asset_selection=[dg.AssetKey(job.asset_key)],
            tags=_request_tags(schedule, job, run),
        )
        for run in decision.runs
    ]


def read_claimant(run: dg.DagsterRun) -> str | None:
    """The name under which a run of a schedule asks the breaker; None for any other run: one that was
    started by hand, is a retry, or is of a generation of `once` or an update of `on_asset`, which
    would be lost. What Dagster repeats after a crash asks as the first time.
    """
    schedule = run.tags.get(tags.SCHEDULE)
    is_repetition = PARENT_RUN_ID_TAG in run.tags and RETRY_NUMBER_TAG not in run.tags
    if schedule is None or is_repetition or tags.LASTING in run.tags:
        return None
    return name_claimant(schedule, run.tags.get(tags.SCHEDULED_AT) or run.tags.get(RUN_KEY_TAG, ""))


def _request_tags(schedule: Schedule, job: Job, run: DueRun) -> dict[str, str]:
    shown = {**schedule.tags, **tags.job_tags(job), tags.SCHEDULE: schedule.name}
    if run.instant is not None:
        shown[tags.SCHEDULED_AT] = run.instant.astimezone(UTC).isoformat()
    if isinstance(schedule.trigger, OnceTrigger | AssetTrigger):
        shown[tags.LASTING] = "true"
    if schedule.priority is not None:
        shown[tags.PRIORITY] = str(schedule.priority.rank)
    return shown


def _crons(schedule: Schedule) -> tuple[list[str], str]:
    trigger = schedule.trigger
    crons = exact_crons(trigger) if is_timed(trigger) else None
    if not crons:
        raise ValueError(f"schedule `{schedule.name}` has no exact cron expressions")
    return list(crons), trigger.timezone if isinstance(trigger, CronTrigger) else "UTC"
