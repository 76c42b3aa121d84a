"""Runs that have failed, or succeeded in part, and wait for a retry in another run.

Such a run says so in its tags, which are all that is known of the wait: when the retry is due, and
for each job that waits the number of its next attempt. Whoever repeats a run copies its tags, so
what they say names the run that it was said of, and is nothing to any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import dagster as dg
from dagster._core.storage.tags import PARENT_RUN_ID_TAG, ROOT_RUN_ID_TAG, RUN_KEY_TAG

from orchestration.defs import tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Instance = dg.DagsterInstance
"""For the command line, which does not import Dagster."""
_IDS_IN_A_QUERY: Final = 100
_LONGEST_REASON: Final = 200
"""Databases index tags, and refuse long ones."""
_DUE_AT_ONCE: Final = datetime.min.replace(tzinfo=UTC)
_MAY_WAIT: Final = (
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.SUCCESS,  # in part
)
_OWN: Final = frozenset(
    {
        tags.RETRY,
        tags.RETRY_AT,
        tags.RETRY_OF,
        tags.ATTEMPT,
        tags.TRACEPARENT,
        tags.TENANT,
        tags.JOB_NAME,
        tags.CONNECTOR_TYPE,
    }
)


class Wait(StrEnum):
    """What became of a wait, in the tag `orchestration/retry`. Replaced: somebody else has repeated
    the run.
    """

    WAITING = "waiting"
    LAUNCHED = "launched"
    REPLACED = "replaced"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingJob:
    """A job of a run that waits. `attempt` is the number of the one that it waits for, `reason` why
    there is one.
    """

    job_id: str
    asset_key: tuple[str, ...]
    attempt: int
    reason: str

    @property
    def step_key(self) -> str:
        """The name of its step in a run."""
        return "__".join(self.asset_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRun:
    """A run with jobs that wait. `followers` are the runs that repeat it, as far as there are any."""

    run: dg.DagsterRun
    due: datetime
    jobs: tuple[WaitingJob, ...]
    followers: tuple[dg.DagsterRun, ...] = ()

    @property
    def run_id(self) -> str:
        """The id of the run that waits."""
        return self.run.run_id

    def run_key(self, job: WaitingJob) -> str:
        """The run key of the retry of one of the jobs: Dagster makes no second run with it."""
        return f"{self.run_id}/{job.job_id}"

    def retry_of(self, job: WaitingJob) -> dg.DagsterRun | None:
        """The run that was launched as the retry of one of the jobs."""
        return next(
            (run for run in self._retries() if run.tags.get(RUN_KEY_TAG) == self.run_key(job)), None
        )

    def is_replaced(self, job: WaitingJob) -> bool:
        """Whether a run repeats the job that is not its retry: a person's, or Dagster's own."""
        retries = self._retries()
        return any(_covers(run, job) for run in self.followers if run not in retries)

    def open_jobs(self) -> tuple[WaitingJob, ...]:
        """The jobs that nothing has repeated."""
        return tuple(j for j in self.jobs if not (self.retry_of(j) or self.is_replaced(j)))

    def _retries(self) -> list[dg.DagsterRun]:
        return [run for run in self.followers if run.tags.get(tags.RETRY_OF) == self.run_id]


def open_at(home: Path) -> dg.DagsterInstance:
    """The instance in that folder, for a process outside of Dagster."""
    return dg.DagsterInstance.from_config(str(home))


def first_attempt(run: dg.DagsterRun) -> int:
    """The number of the attempt with which the run begins: 1, unless it is a retry.

    A run that repeats a retry carries its tags too, but is the child of another run.
    """
    retry_of = run.tags.get(tags.RETRY_OF)
    is_retry = retry_of is not None and retry_of == run.tags.get(PARENT_RUN_ID_TAG)
    return int(run.tags.get(tags.ATTEMPT, 1)) if is_retry else 1


def chain_id(run: dg.DagsterRun) -> str:
    """The id of the first of the runs that repeat each other."""
    return run.tags.get(ROOT_RUN_ID_TAG) or run.run_id


def announce(instance: dg.DagsterInstance, run_id: str, job: WaitingJob, due: datetime) -> None:
    """Let the run say that a job of it waits until then; of several, all wait for the last."""
    run = instance.get_run_by_id(run_id)
    before = read_wait(run) if run else None
    latest = max(before.due, due) if before else due
    note = f"{run_id} {job.attempt} {'/'.join(job.asset_key)} {job.reason[:_LONGEST_REASON]}"
    added = {
        tags.RETRY: Wait.WAITING.value,
        tags.RETRY_AT: latest.astimezone(UTC).isoformat(),
        tags.retry_slot(job.job_id): note,
    }
    instance.add_run_tags(run_id, added)


def read_wait(run: dg.DagsterRun) -> WaitingRun | None:
    """What the run says of its wait; None if it does not wait, or says it of another run."""
    if run.tags.get(tags.RETRY) != Wait.WAITING:
        return None
    jobs = tuple(filter(None, (_read_job(run, key) for key in sorted(run.tags))))
    return WaitingRun(run=run, due=_read_due(run), jobs=jobs) if jobs else None


def find_waiting(instance: dg.DagsterInstance) -> list[WaitingRun]:
    """The runs that wait and what repeats them, the first due first. Those that have not ended yet
    are among them.

    Two questions to the index of the tags, however many runs there have been.
    """
    found = instance.get_runs(dg.RunsFilter(tags={tags.RETRY: Wait.WAITING.value}))
    waiting = [wait for run in found if run.status in _MAY_WAIT and (wait := read_wait(run))]
    followers = _find_followers(instance, [wait.run_id for wait in waiting])
    complete = [
        WaitingRun(run=w.run, due=w.due, jobs=w.jobs, followers=followers.get(w.run_id, ()))
        for w in waiting
    ]
    return sorted(complete, key=lambda wait: (wait.due, wait.run_id))


def end_wait(instance: dg.DagsterInstance, run_id: str, state: Wait) -> None:
    """Let the run say that it does not wait any more, and why."""
    instance.add_run_tags(run_id, {tags.RETRY: state.value})


def cancel_wait(instance: dg.DagsterInstance, wait: WaitingRun, jobs: Iterable[WaitingJob]) -> None:
    """Take back the retries of these jobs of the run; nothing launches them any more."""
    taken = [job.job_id for job in jobs]
    instance.add_run_tags(
        wait.run_id, {tags.retry_slot(job_id): Wait.CANCELLED.value for job_id in taken}
    )
    run = instance.get_run_by_id(wait.run_id)
    if run is not None and read_wait(run) is None:
        end_wait(instance, wait.run_id, Wait.CANCELLED)
    names = ", ".join(f"`{job_id}`" for job_id in taken)
    instance.report_engine_event(f"The retry of {names} was cancelled.", wait.run)


def is_cancelled(instance: dg.DagsterInstance, retry: dg.DagsterRun) -> bool:
    """Whether the run is the retry of one that does not want it any more, or was deleted."""
    waiting_id = retry.tags.get(tags.RETRY_OF)
    if waiting_id is None or waiting_id != retry.tags.get(PARENT_RUN_ID_TAG):
        return False
    waiting = instance.get_run_by_id(waiting_id)
    job_id = retry.tags.get(RUN_KEY_TAG, "").removeprefix(f"{waiting_id}/")
    return waiting is None or waiting.tags.get(tags.retry_slot(job_id)) == Wait.CANCELLED


def retry_tags(wait: WaitingRun, job: WaitingJob) -> dict[str, str]:
    """The tags of the retry: those that a schedule or a person gave the run that waits, and what
    makes it the next attempt, in the group of that run.
    """
    kept = {key: value for key, value in wait.run.tags.items() if _is_kept(key)}
    return {
        **kept,
        tags.RETRY_OF: wait.run_id,
        tags.ATTEMPT: str(job.attempt),
        PARENT_RUN_ID_TAG: wait.run_id,
        ROOT_RUN_ID_TAG: chain_id(wait.run),
    }


def own_tags(run: dg.DagsterRun) -> dict[str, str]:
    """The tags of a new run without what they say of another run, whose tags it was given."""
    foreign = {tags.RETRY, tags.RETRY_AT}
    if run.tags.get(tags.RETRY_OF) != run.tags.get(PARENT_RUN_ID_TAG):
        foreign |= {tags.RETRY_OF, tags.ATTEMPT}
    return {
        key: value
        for key, value in run.tags.items()
        if key not in foreign and not key.startswith(tags.RETRY_SLOTS)
    }


def _is_kept(key: str) -> bool:
    is_dagsters = key.startswith(("dagster/", ".dagster/")) and key != tags.PRIORITY
    return key not in _OWN and not is_dagsters


def _covers(run: dg.DagsterRun, job: WaitingJob) -> bool:
    steps, assets = run.step_keys_to_execute, run.asset_selection
    has_step = steps is None or job.step_key in steps
    return has_step and (assets is None or dg.AssetKey(job.asset_key) in assets)


def _read_job(run: dg.DagsterRun, key: str) -> WaitingJob | None:
    if not key.startswith(tags.RETRY_SLOTS):
        return None
    said_of, _, rest = run.tags[key].partition(" ")
    if said_of != run.run_id:
        return None
    attempt, asset_key, reason = rest.split(" ", 2)
    return WaitingJob(
        job_id=key.removeprefix(tags.RETRY_SLOTS),
        asset_key=tuple(asset_key.split("/")),
        attempt=int(attempt),
        reason=reason,
    )


def _read_due(run: dg.DagsterRun) -> datetime:
    """Tags can be edited: an instant that cannot be read is taken for one that has come."""
    try:
        due = datetime.fromisoformat(run.tags[tags.RETRY_AT])
    except (KeyError, ValueError):
        return _DUE_AT_ONCE
    return due if due.tzinfo else due.replace(tzinfo=UTC)


def _find_followers(
    instance: dg.DagsterInstance, run_ids: Sequence[str]
) -> Mapping[str, tuple[dg.DagsterRun, ...]]:
    found: dict[str, tuple[dg.DagsterRun, ...]] = {}
    for start in range(0, len(run_ids), _IDS_IN_A_QUERY):
        some = list(run_ids[start : start + _IDS_IN_A_QUERY])
        for run in instance.get_runs(dg.RunsFilter(tags={PARENT_RUN_ID_TAG: some})):
            parent = run.tags[PARENT_RUN_ID_TAG]
            found[parent] = (*found.get(parent, ()), run)
    return found
