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
from dagster._core.storage.tags import MAX_RETRIES_TAG, WILL_RETRY_TAG

from orchestration.defs import tags
from orchestration.defs.history import read_tick_id
from orchestration.defs.ledger import Ledger
from orchestration.defs.sensors import forget_looks
from orchestration.defs.waiting import (
    Wait,
    WaitingJob,
    WaitingRun,
    end_wait,
    find_waiting,
    retry_tags,
)
from orchestration.domain.job import Job

_LOOK_SECONDS = 9
"""Dagster looks at sensors every 5 s, give or take a little: at every second turn."""
_MOST_AT_ONCE = 50
"""Dagster makes some four runs a second, and forgets no run that it has been asked for."""

Refuse = Callable[[Job, str], str]
"""Why the retry of a job in a run with that id has to wait longer; empty if it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A retry to launch."""

    wait: WaitingRun
    job: WaitingJob
    target: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """What is to be done at a look: retries to launch, what became of waits that are over, and what
    a person should know of retries that are due and cannot be launched.
    """

    due: list[Due] = field(default_factory=list["Due"])
    over: list[tuple[str, Wait]] = field(default_factory=list[tuple[str, Wait]])
    stuck: list[str] = field(default_factory=list[str])


def plan(
    waiting: Sequence[WaitingRun],
    jobs: Mapping[tuple[str, ...], Job],
    *,
    now: datetime,
    refuse: Refuse,
    crashes_are_repeated: bool,
) -> Agenda:
    """What to do about the runs that wait. `jobs` are those that can run now, by asset key."""
    agenda = Agenda()
    for wait in waiting:
        if wait.due > now or not wait.run.is_finished:
            continue
        if state := _result(wait):
            agenda.over.append((wait.run_id, state))
            continue
        hold = _find_crash(wait) if crashes_are_repeated else ""
        for job in _to_launch(wait):
            target = jobs.get(job.asset_key)
            why = hold or (refuse(target, wait.run_id) if target else "the job is gone or broken")
            if target and not why:
                agenda.due.append(Due(wait=wait, job=job, target=target))
            else:
                agenda.stuck.append(_describe_stuck(wait, job, why))
    return agenda


@dataclass(frozen=True, slots=True, eq=False)  # Dagster hashes it, by identity
class RetryEvaluation:
    """What happens at a look. `jobs` are those that can run, by asset key."""

    jobs: Mapping[tuple[str, ...], Job]

    def __call__(self, context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """The retries that are due, or what is waited for. A dry run from the UI changes nothing."""
        now, instance = datetime.now(UTC), context.instance
        ledger = Ledger(lambda: instance)
        is_real = read_tick_id(context.log_key) is not None

        def refuse(job: Job, run_id: str) -> str:
            return ledger.admit(job, f"the retry of run {run_id}", claim=is_real).refusal

        forget_looks(context, now)
        waiting = find_waiting(instance)
        agenda = plan(
            waiting,
            self.jobs,
            now=now,
            refuse=refuse,
            crashes_are_repeated=instance.run_retries_enabled,
        )
        if is_real:
            for run_id, state in agenda.over:
                end_wait(instance, run_id, state)
        requests = [_request(instance, due) for due in agenda.due[:_MOST_AT_ONCE]]
        if not requests:
            return dg.SensorResult(skip_reason=_explain(waiting, agenda, now))
        for text in agenda.stuck:
            context.log.warning(text)
        return dg.SensorResult(run_requests=requests)


def build_retry_sensor(
    jobs: Sequence[Job], tenant_jobs: Sequence["dg.UnresolvedAssetJobDefinition"]
) -> dg.SensorDefinition:
    """The sensor `retries`, running from the start. `jobs` are those that can run."""
    return dg.SensorDefinition(
        name=tags.RETRY_SENSOR,
        jobs=list(tenant_jobs) or None,
        evaluation_fn=RetryEvaluation({job.asset_key: job for job in jobs}),
        minimum_interval_seconds=_LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Launches the retries that do not wait in the run that failed.",
    )


def _result(wait: WaitingRun) -> Wait | None:
    """What became of a wait; None if there is a retry to launch.

    One that was made and never queued is asked for again: Dagster then queues that very run.
    """
    if list(_to_launch(wait)):
        return None
    return Wait.LAUNCHED if any(map(wait.retry_of, wait.jobs)) else Wait.REPLACED


def _to_launch(wait: WaitingRun) -> Iterator[WaitingJob]:
    for job in wait.jobs:
        retry = wait.retry_of(job)
        is_made = retry is not None and retry.status is dg.DagsterRunStatus.NOT_STARTED
        if is_made or job in wait.open_jobs():
            yield job


def _find_crash(wait: WaitingRun) -> str:
    """Why the run is left to Dagster: a worker may die when it has just said that it waits.

    Dagster says of each failed run whether it repeats it; nothing is launched before it has.
    """
    if wait.run.status is not dg.DagsterRunStatus.FAILURE:
        return ""
    match wait.run.tags.get(WILL_RETRY_TAG):
        case "false":
            return ""
        case None:
            return "it is not known yet whether Dagster repeats the run as one that crashed"
        case _:
            return "Dagster repeats the run, which crashed"


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


def _describe_stuck(wait: WaitingRun, job: WaitingJob, why: str) -> str:
    return (
        f"attempt {job.attempt} of `{job.job_id}` after run {wait.run_id} is due since"
        f" {wait.due:%F %T} UTC and not launched: {why}"
    )


def _explain(waiting: Sequence[WaitingRun], agenda: Agenda, now: datetime) -> str:
    """Why nothing is launched."""
    if agenda.stuck:
        return "; ".join(agenda.stuck)
    later = [wait.due for wait in waiting if wait.due > now]
    if not later:
        return "no retry waits"
    return f"{len(later)} run(s) wait for a retry, the first until {min(later):%F %T} UTC"
