"""Cancels every run under way and waits for their end: a program for who is about to stop all.

It asks the launcher itself, as the UI would, so it needs no UI, and one that is read-only is no
obstacle. Runs in the queue stay there.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError

from orchestration.defs import tags

_POLL_SECONDS = 0.2
_STATUSES = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def cancel_runs(
    instance: dg.DagsterInstance,
    *,
    patience: timedelta,
    tell: Callable[[str], object],
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Returns when no run is under way. One whose process is gone, or goes on after `patience`, is
    marked as cancelled: what remains of it is killed next.
    """
    _terminate_all(instance, tell)
    deadline = clock() + patience.total_seconds()
    waiting = {run.run_id: run for run in _under_way(instance)}
    while waiting and clock() < deadline:
        pause(_POLL_SECONDS)
        now = {run.run_id: run for run in _under_way(instance)}
        for run_id in waiting.keys() - now.keys():
            tell(f"{_name(waiting[run_id])} has ended")
        waiting = now
    for run in waiting.values():
        _mark(instance, run, f"It did not end within {patience}; its processes are killed.")
        tell(f"{_name(run)} did not end in time, and is killed")


def _under_way(instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
    return instance.get_runs(dg.RunsFilter(statuses=_STATUSES))


def _terminate_all(instance: dg.DagsterInstance, tell: Callable[[str], object]) -> None:
    """Who asks waits for a run server that does not answer: once, not for each run."""
    unreachable = False
    for run in _under_way(instance):
        if run.status == dg.DagsterRunStatus.CANCELING:
            continue
        try:
            if not unreachable and instance.run_coordinator.cancel_run(run.run_id):
                continue
        except DagsterUserCodeUnreachableError as error:
            tell(str(error))
            unreachable = True
        why = "nobody knows its process" if unreachable else "it had no process any more"
        _mark(instance, run, f"It is cancelled: {why}.")
        tell(f"{_name(run)} is cancelled: {why}")


def _mark(instance: dg.DagsterInstance, run: dg.DagsterRun, why: str) -> None:
    now = instance.get_run_by_id(run.run_id)
    if now is not None and not now.is_finished:
        instance.report_run_canceled(now, why)


def _name(run: dg.DagsterRun) -> str:
    tenant, job = run.tags.get(tags.TENANT), run.tags.get(tags.JOB_NAME)
    return f"{tenant}/{job}" if tenant and job else run.job_name


def main() -> None:
    """Cancels the runs of the instance in DAGSTER_HOME."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patience-seconds", type=int, required=True)
    seconds = parser.parse_args().patience_seconds
    with dg.DagsterInstance.get() as instance:
        cancel_runs(instance, patience=timedelta(seconds=seconds), tell=print)


if __name__ == "__main__":
    main()
