"""The sensor that launches retries which are due in new runs.

A run whose next attempt is far off ends, and says in its tags what it waits for (`waiting.py`). The
sensor looks for such runs, and launches each retry once: the run that waits is told when there is
one, Dagster makes no two runs with the same run key, and what somebody else has repeated is left.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg
from dagster._core.errors import DagsterRunNotFoundError
from dagster._core.storage.tags import MAX_RETRIES_TAG

from orchestration.defs.history import read_tick_id
from orchestration.defs.ledger import Ledger
from orchestration.defs.sensors import forget_looks
from orchestration.defs.waiting import (
    Location,
    Wait,
    WaitingJob,
    WaitingRun,
    end_wait,
    find_waiting,
    retry_tags,
)
from orchestration.domain.describe import RETRY_SENSOR
from orchestration.domain.job import Job

_LOOK_SECONDS = 9
"""Dagster looks at sensors every 5 s, give or take a little: at every second turn."""
_MOST_AT_ONCE = 50
"""Dagster makes some four runs a second, and forgets no run that it has been asked for."""
_MOST_REASONS = 5
"""Every look is a row in the database, and is kept for hours."""
_GONE = (
    "the job is gone or broken; bring its file back, or take the retry back with"
    " `orchestrate retry cancel`"
)

Refuse = Callable[[Job, str], str]
"""Why the retry of a job in a run with that id has to wait longer; empty if it does not, in which
case it may be launched, and is.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A retry to launch."""

    wait: WaitingRun
    job: WaitingJob
    target: Job


@dataclass(slots=True, kw_only=True)
class Stuck:
    """Retries that are due and not launched for one reason. `first` is the first one in words."""

    first: str
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """What is to be done at a look: retries to launch, what became of waits that are over, and of
    retries that are due and cannot be launched the first one with each reason, and how many.
    """

    due: list[Due] = field(default_factory=list[Due])
    over: list[tuple[WaitingRun, Mapping[str, Wait]]] = field(
        default_factory=list[tuple[WaitingRun, Mapping[str, Wait]]]
    )
    stuck: dict[str, Stuck] = field(default_factory=dict[str, Stuck])


def plan(
    waiting: Sequence[WaitingRun],
    jobs: Mapping[tuple[str, ...], Job],
    *,
    now: datetime,
    refuse: Refuse,
    crashes_are_repeated: bool,
) -> Agenda:
    """What to do about the runs that wait. `jobs` are those that can run now, by asset key. What
    there is no room for at this look is not asked about either.
    """
    agenda = Agenda()
    for wait in waiting:
        if not wait.run.is_finished:
            continue
        ended = wait.ended_jobs()
        if ended or not wait.jobs:
            agenda.over.append((wait, ended))
        hold = wait.find_crash(now) if crashes_are_repeated else ""
        for job in (j for j in wait.jobs if wait.due <= now and j.job_id not in ended):
            if len(agenda.due) == _MOST_AT_ONCE:
                break
            target = jobs.get(job.asset_key)
            why = hold or (refuse(target, wait.run_id) if target else _GONE)
            if target and not why:
                agenda.due.append(Due(wait=wait, job=job, target=target))
            else:
                first = Stuck(first=_describe(wait, job))
                agenda.stuck.setdefault(why, first).count += 1
    return agenda


@dataclass(frozen=True, slots=True, eq=False)  # Dagster hashes it, by identity
class RetryEvaluation:
    """What happens at a look. `jobs` are those that can run, by asset key."""

    jobs: Mapping[tuple[str, ...], Job]

    def __call__(self, context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """The retries that are due, or what is waited for. A dry run from the UI changes nothing."""
        now, instance = datetime.now(UTC), context.instance
        is_real = read_tick_id(context.log_key) is not None
        forget_looks(context, now)
        waiting = find_waiting(instance, _location(context))
        ledger = Ledger(lambda: instance)
        breakers = ledger.look(self._targets(wait for wait in waiting if wait.due <= now))

        def refuse(job: Job, run_id: str) -> str:
            claimant = f"the retry of {job.id} after run {run_id}"
            return ledger.admit(job, claimant, claim=is_real, seen=breakers).refusal

        agenda = plan(
            waiting,
            self.jobs,
            now=now,
            refuse=refuse,
            crashes_are_repeated=instance.run_retries_enabled,
        )
        if is_real:
            _end_waits(context, agenda)
        stuck = _describe_stuck(agenda)
        if not agenda.due:
            reason = "; ".join(stuck) or _describe_rest(waiting, now)
            return dg.SensorResult(skip_reason=reason)
        for text in stuck:
            context.log.warning(text)
        return dg.SensorResult(run_requests=[_request(instance, due) for due in agenda.due])

    def _targets(self, waiting: Iterator[WaitingRun]) -> Iterator[Job]:
        keys = {job.asset_key for wait in waiting for job in wait.jobs}
        return (self.jobs[key] for key in keys if key in self.jobs)


def build_retry_sensor(
    jobs: Sequence[Job], tenant_jobs: Sequence["dg.UnresolvedAssetJobDefinition"]
) -> dg.SensorDefinition:
    """The sensor `retries`, running from the start. `jobs` are those that can run."""
    return dg.SensorDefinition(
        name=RETRY_SENSOR,
        jobs=list(tenant_jobs) or None,
        evaluation_fn=RetryEvaluation({job.asset_key: job for job in jobs}),
        minimum_interval_seconds=_LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Launches the retries that do not wait in the run that failed.",
    )


def _location(context: dg.SensorEvaluationContext) -> Location | None:
    """Where the sensor is; None where nobody has said so, as in a test."""
    name, origin = context.repository_name, context.code_location_origin
    return Location(repository=name, name=origin.location_name) if name and origin else None


def _end_waits(context: dg.SensorEvaluationContext, agenda: Agenda) -> None:
    for wait, ended in agenda.over:
        end_wait(context.instance, wait, ended)
        for job_id in wait.unreadable:
            context.log.warning(
                "run %s says nothing of a retry of `%s` that is its own and can be read: none follows",
                wait.run_id,
                job_id,
            )


def _request(instance: dg.DagsterInstance, due: Due) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=due.wait.run_key(due.job),
        job_name=due.target.tenant,
        asset_selection=[dg.AssetKey(due.target.asset_key)],
        tags=retry_tags(due.wait, due.job) | _crash_tags(instance, due.wait.run_id),
    )


def _crash_tags(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    """Dagster counts the runs of a group to know how often one has crashed; a retry is none."""
    if not instance.run_retries_enabled:
        return {}
    try:
        group = instance.get_run_group(run_id)
    except DagsterRunNotFoundError:  # the first run of the group was deleted
        return {}
    size = len(group[1]) if group else 0
    return {MAX_RETRIES_TAG: str(size + instance.run_retries_max_retries)}


def _describe(wait: WaitingRun, job: WaitingJob) -> str:
    return (
        f"attempt {job.attempt} of `{job.job_id}` after run {wait.run_id},"
        f" due since {wait.due:%F %T} UTC"
    )


def _describe_stuck(agenda: Agenda) -> list[str]:
    """What is due and not launched, and why: the reasons that hold most come first."""
    by_count = sorted(agenda.stuck.items(), key=lambda item: item[1].count, reverse=True)
    texts = [
        f"{stuck.first}, is not launched: {why}"
        if stuck.count == 1
        else f"{stuck.count} retries, the first of them {stuck.first}, are not launched: {why}"
        for why, stuck in by_count[:_MOST_REASONS]
    ]
    rest = sum(stuck.count for _, stuck in by_count[_MOST_REASONS:])
    return [*texts, f"{rest} more for other reasons"] if rest else texts


def _describe_rest(waiting: Sequence[WaitingRun], now: datetime) -> str:
    """What is waited for, where nothing is due."""
    later = [wait.due for wait in waiting if wait.due > now and wait.open_jobs()]
    if not later:
        return "no retry waits"
    return f"{len(later)} run(s) wait for a retry, the first until {min(later):%F %T} UTC"
