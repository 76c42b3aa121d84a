"""Runs that have failed, or succeeded in part, and wait for a retry in another run.

Such a run says so in its tags, which are all that is known of the wait: when the retry is due, and
for each job that waits the number of its next attempt. Whoever repeats a run copies its tags, so
what they say names the run that it was said of, and is nothing to any other.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import dagster as dg
from dagster._core.storage.tags import (
    PARENT_RUN_ID_TAG,
    ROOT_RUN_ID_TAG,
    RUN_KEY_TAG,
    WILL_RETRY_TAG,
)

from orchestration.defs import tags
from orchestration.defs.shared_values import alone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

Instance = dg.DagsterInstance
"""For the command line, which does not import Dagster."""
_IDS_IN_A_QUERY: Final = 100
_LONGEST_REASON: Final = 200
"""Databases index tags, and refuse long ones."""
_DUE_AT_ONCE: Final = datetime.min.replace(tzinfo=UTC)
# Dagster says of a failed run at once whether it repeats it, and soon does.
_DAGSTERS_TURN: Final = timedelta(minutes=10)
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
_NUMBER: Final = re.compile("[1-9][0-9]{0,8}")
_CURE: Final = (
    "re-execute the run in the UI, or take its retry back with `orchestrate retry cancel`"
)
_logger = logging.getLogger(__name__)


class Wait(StrEnum):
    """What became of a wait: of a job's in the tag of the job, of the run's, when no job of it waits
    any more, in `orchestration/retry`: there the first of these that holds for one of the jobs.
    """

    WAITING = "waiting"
    LAUNCHED = "launched"
    REPLACED = "replaced"
    """Somebody else has repeated the run."""
    CANCELLED = "cancelled"
    """The retry was taken back, or the run was cancelled."""
    VOID = "void"
    """What the run says cannot be read, or was said of another run."""


_ENDS: Final = (Wait.LAUNCHED, Wait.REPLACED, Wait.CANCELLED, Wait.VOID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A code location, as the runs that it was asked for name it: by its repository and its name."""

    repository: str
    name: str


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
    """A run with jobs that wait. `followers` are the runs that repeat it, as far as there are any;
    `unreadable` are jobs of which the run says nothing that can be read.
    """

    run: dg.DagsterRun
    due: datetime
    jobs: tuple[WaitingJob, ...]
    followers: tuple[dg.DagsterRun, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def run_id(self) -> str:
        """The id of the run that waits."""
        return self.run.run_id

    @property
    def location(self) -> Location | None:
        """The code location whose sensor launches the retries; any, if the run is of none."""
        if self.run.remote_job_origin is None:
            return None
        origin = self.run.remote_job_origin.repository_origin
        name = origin.code_location_origin.location_name
        return Location(repository=origin.repository_name, name=name)

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
        """The jobs that nothing has repeated; none of a run that was cancelled after all."""
        if self.run.status is dg.DagsterRunStatus.CANCELED:
            return ()
        return tuple(j for j in self.jobs if not (self.retry_of(j) or self.is_replaced(j)))

    def ended_jobs(self) -> dict[str, Wait]:
        """What became of the jobs, by id, that do not wait any more, though the run says so.

        A retry that was made and never queued is asked for again: Dagster then queues that very run.
        """
        ended = dict.fromkeys(self.unreadable, Wait.VOID)
        for job in self.jobs:
            retry = self.retry_of(job)
            if self.run.status is dg.DagsterRunStatus.CANCELED:
                ended[job.job_id] = Wait.CANCELLED
            elif retry is None and self.is_replaced(job):
                ended[job.job_id] = Wait.REPLACED
            elif retry is not None and retry.status is not dg.DagsterRunStatus.NOT_STARTED:
                ended[job.job_id] = Wait.LAUNCHED
        return ended

    def find_crash(self, now: datetime) -> str:
        """Why the run is left to Dagster; empty if it is not. A worker may die when it has just said
        that it waits, and Dagster says of each failed run whether it repeats it. Nothing is launched
        before it has, however late: it may repeat the run whenever its daemon is there again.
        """
        if self.run.status is not dg.DagsterRunStatus.FAILURE:
            return ""
        is_late = now - self.due > _DAGSTERS_TURN
        match self.run.tags.get(WILL_RETRY_TAG):
            case "false":
                return ""
            case None if is_late:
                return (
                    f"Dagster does not say whether it repeats the run as one that crashed; {_CURE}"
                )
            case None:
                return "it is not known yet whether Dagster repeats the run as one that crashed"
            case _ if is_late:
                return f"Dagster was to repeat the run, which crashed, and has not; {_CURE}"
            case _:
                return "Dagster repeats the run, which crashed"

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
    if retry_of is None or retry_of != run.tags.get(PARENT_RUN_ID_TAG):
        return 1
    said = run.tags.get(tags.ATTEMPT, "")
    attempt = _read_attempt(said)
    if attempt is None:
        _logger.warning("the tag `%s` is no number, and 1 is taken: `%s`", tags.ATTEMPT, said)
    return attempt or 1


def chain_id(run: dg.DagsterRun) -> str:
    """The id of the first of the runs that repeat each other."""
    return run.tags.get(ROOT_RUN_ID_TAG) or run.run_id


def announce(instance: dg.DagsterInstance, run_id: str, job: WaitingJob, due: datetime) -> None:
    """Let the run say that a job of it waits until then; of several, all wait for the last."""

    def add(run: dg.DagsterRun) -> dict[str, str]:
        before = read_wait(run)
        latest = max(before.due, due) if before else due
        note = f"{run_id} {job.attempt} {'/'.join(job.asset_key)} {job.reason[:_LONGEST_REASON]}"
        return {
            tags.RETRY: Wait.WAITING.value,
            tags.RETRY_AT: latest.astimezone(UTC).isoformat(),
            tags.retry_slot(job.job_id): note,
        }

    _change_tags(instance, run_id, add)


def read_wait(run: dg.DagsterRun) -> WaitingRun | None:
    """What the run says of its wait; None if it does not wait, or says it of another run."""
    wait = _read_wait(run)
    return wait if run.tags.get(tags.RETRY) == Wait.WAITING and wait.jobs else None


def read_state(run: dg.DagsterRun, job_id: str) -> Wait | None:
    """Whether one of the jobs of the run waits, or what became of it; None if it never has."""
    slot = tags.retry_slot(job_id)
    if _read_job(run, slot):
        return Wait.WAITING
    said = run.tags.get(slot)
    return Wait(said) if said in _ENDS else None


def find_waiting(
    instance: dg.DagsterInstance, location: Location | None = None
) -> list[WaitingRun]:
    """The runs that wait and what repeats them, the first due first. Among them are those that have
    not ended yet, and those that only say that they wait; see `ended_jobs`.

    With a location only its own, and those that nobody has launched from one, such as a program that
    runs a job in its own process. Two questions to the index of the tags, however many runs there
    have been.
    """
    found = instance.get_runs(dg.RunsFilter(tags={tags.RETRY: Wait.WAITING.value}))
    waits = [_read_wait(run) for run in found]
    waiting = [w for w in waits if location is None or w.location in (None, location)]
    followers = _find_followers(instance, [wait.run_id for wait in waiting])
    complete = [replace(w, followers=followers.get(w.run_id, ())) for w in waiting]
    return sorted(complete, key=lambda wait: (wait.due, wait.run_id))


def end_wait(instance: dg.DagsterInstance, wait: WaitingRun, ended: Mapping[str, Wait]) -> None:
    """Let the run say of these jobs, by their ids, that they do not wait any more, and why; and of
    itself, when they are the last ones. What was cancelled meanwhile stays so.
    """

    def end(run: dg.DagsterRun) -> dict[str, str]:
        slots = {tags.retry_slot(job_id): state.value for job_id, state in ended.items()}
        added = {s: state for s, state in slots.items() if run.tags.get(s) != Wait.CANCELLED}
        said = {**run.tags, **added}.items()
        states = {value for key, value in said if key.startswith(tags.RETRY_SLOTS)}
        if states.issubset(_ENDS):
            added[tags.RETRY] = next((state for state in _ENDS if state in states), Wait.VOID).value
        return added

    _change_tags(instance, wait.run_id, end)


def cancel_wait(instance: dg.DagsterInstance, wait: WaitingRun, jobs: Iterable[WaitingJob]) -> None:
    """Take back the retries of these jobs of the run; nothing launches them any more."""
    taken = [job.job_id for job in jobs]
    end_wait(instance, wait, dict.fromkeys(taken, Wait.CANCELLED))
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
        if key not in foreign and not key.startswith((tags.RETRY_SLOTS, tags.BREAKERS))
    }


def _change_tags(
    instance: dg.DagsterInstance,
    run_id: str,
    change: Callable[[dg.DagsterRun], Mapping[str, str]],
) -> None:
    """Add what follows from the tags that the run has now, unless it was deleted. Dagster writes all
    tags of a run when it adds one, so nobody else changes what a run says of its wait meanwhile.
    """
    with alone(instance, f"orchestration/wait/{run_id}"):
        if run := instance.get_run_by_id(run_id):
            instance.add_run_tags(run_id, change(run))


def _is_kept(key: str) -> bool:
    is_dagsters = key.startswith(("dagster/", ".dagster/")) and key != tags.PRIORITY
    return key not in _OWN and not key.startswith(tags.BREAKERS) and not is_dagsters


def _covers(run: dg.DagsterRun, job: WaitingJob) -> bool:
    steps, assets = run.step_keys_to_execute, run.asset_selection
    has_step = steps is None or job.step_key in steps
    return has_step and (assets is None or dg.AssetKey(job.asset_key) in assets)


def _read_wait(run: dg.DagsterRun) -> WaitingRun:
    slots = sorted(key for key in run.tags if key.startswith(tags.RETRY_SLOTS))
    jobs = {slot: _read_job(run, slot) for slot in slots if run.tags[slot] not in _ENDS}
    return WaitingRun(
        run=run,
        due=_read_due(run),
        jobs=tuple(job for job in jobs.values() if job),
        unreadable=tuple(
            slot.removeprefix(tags.RETRY_SLOTS) for slot, job in jobs.items() if job is None
        ),
    )


def _read_job(run: dg.DagsterRun, slot: str) -> WaitingJob | None:
    """Tags can be edited, and copied: None if it is nothing that the run has said of itself."""
    match run.tags.get(slot, "").split(" ", 3):
        case [run.run_id, said, asset_key, reason] if attempt := _read_attempt(said):
            return WaitingJob(
                job_id=slot.removeprefix(tags.RETRY_SLOTS),
                asset_key=tuple(asset_key.split("/")),
                attempt=attempt,
                reason=reason,
            )
        case _:
            return None


def _read_attempt(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


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
