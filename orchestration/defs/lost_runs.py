"""The end of a run whose process has gone without a word, or was interrupted."""

from __future__ import annotations

import dagster as dg
from dagster._core.events import RunFailureReason
from dagster._core.storage.tags import RUN_FAILURE_REASON_TAG


def end_lost_run(instance: dg.DagsterInstance, run: dg.DagsterRun, cause: str) -> None:
    """End the run as what it came to: cancelled, succeeded if all of its work was, else failed.

    Dagster repeats a failed one, as the instance is set up, and of its steps those not done.
    """
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, f"The run was being cancelled, and {cause}.")
    elif is_done(instance, run):
        _report_success(instance, run, cause)
    else:
        instance.report_run_failed(run, f"The run did not end by itself: {cause}.")


def mend_interrupted_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """Of a run that was interrupted when its work was done: Dagster has called it failed, and would
    find nothing in it to repeat. It has succeeded.
    """
    run = instance.get_run_by_id(run_id)
    if run is None or run.status is not dg.DagsterRunStatus.FAILURE:
        return
    reason = run.tags.get(RUN_FAILURE_REASON_TAG)
    if reason == RunFailureReason.UNEXPECTED_TERMINATION.value and is_done(instance, run):
        _report_success(instance, run, "its process was told to stop")


def is_done(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether each step of the run has succeeded: what is missing is that the run has too."""
    if run.execution_plan_snapshot_id is None:
        return False
    plan = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    events = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)
    return set(plan.step_keys_to_execute) <= {event.step_key for event in events}


def _report_success(instance: dg.DagsterInstance, run: dg.DagsterRun, cause: str) -> None:
    event = dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.RUN_SUCCESS.value,
        job_name=run.job_name,
        message=f"All work of the run was done; then {cause}.",
    )
    instance.report_dagster_event(event, run_id=run.run_id)
