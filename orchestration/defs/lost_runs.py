"""The end of a run whose process has gone without a word."""

from __future__ import annotations

import dagster as dg


def end_lost_run(instance: dg.DagsterInstance, run: dg.DagsterRun, cause: str) -> None:
    """End the run as what it came to: cancelled, succeeded if all of its work was, else failed.

    Dagster repeats a failed one, as the instance is set up, and of its steps those not done.
    """
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, f"The run was being cancelled, and {cause}.")
    elif is_done(instance, run):
        event = dg.DagsterEvent(
            event_type_value=dg.DagsterEventType.RUN_SUCCESS.value,
            job_name=run.job_name,
            message=f"All work of the run was done; then {cause}.",
        )
        instance.report_dagster_event(event, run_id=run.run_id)
    else:
        instance.report_run_failed(run, f"The run did not end by itself: {cause}.")


def is_done(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether each step of the run has succeeded: what is missing is that the run has too."""
    if run.execution_plan_snapshot_id is None:
        return False
    plan = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    events = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)
    return set(plan.step_keys_to_execute) <= {event.step_key for event in events}
