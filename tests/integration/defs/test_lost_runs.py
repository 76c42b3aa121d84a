"""How a run is ended whose process has gone, judged by the log that it has left."""

import signal
import sys

import click
import dagster as dg
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.events import JobFailureData, RunFailureReason
from dagster._core.execution.plan.objects import StepSuccessData
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import serialize_value

from orchestration.defs.lost_runs import end_lost_run, is_done, mend_interrupted_run
from orchestration.defs.run_worker import work

TENANTS = ("acme", "globex", "initech")
CAUSE = "its process 7 was killed by SIGKILL"


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def signals():
    """The signals that this thread listens to are the same again afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.fixture
def start(instance):
    """Gives a run of a job of each tenant, with the steps of some of them recorded as done."""

    def begin(*done, status=dg.DagsterRunStatus.STARTED):
        assets = [dg.asset(name=tenant)(lambda: None) for tenant in TENANTS]
        job = dg.Definitions(assets=assets).resolve_implicit_global_asset_job_def()
        run = instance.create_run_for_job(job, status=status)
        for tenant in done:
            event = dg.DagsterEvent(
                "STEP_SUCCESS",
                job_name=job.name,
                step_key=tenant,
                event_specific_data=StepSuccessData(1.0),
            )
            instance.report_dagster_event(event, run_id=run.run_id)
        return run

    return begin


def end(instance, run):
    """The status of the run after its end, and the message of that."""
    end_lost_run(instance, run, CAUSE)
    event = instance.all_logs(run.run_id)[-1].dagster_event
    return instance.get_run_by_id(run.run_id).status.value, event.message


@pytest.mark.parametrize("done", [(), TENANTS[:1], TENANTS[:2]])
def test_a_run_with_work_left_has_failed(instance, start, done):
    run = start(*done)

    assert not is_done(instance, run)
    assert end(instance, run) == ("FAILURE", f"The run did not end by itself: {CAUSE}.")


def test_a_run_whose_work_was_all_recorded_has_succeeded(instance, start):
    run = start(*TENANTS)

    assert is_done(instance, run)
    assert end(instance, run) == ("SUCCESS", f"All work of the run was done; then {CAUSE}.")


def test_a_run_that_was_being_cancelled_is_cancelled(instance, start):
    run = start(*TENANTS, status=dg.DagsterRunStatus.CANCELING)

    assert end(instance, run) == ("CANCELED", f"The run was being cancelled, and {CAUSE}.")


def test_nothing_is_known_to_be_done_of_a_run_without_a_plan(instance):
    run = dg.DagsterRun(job_name="acme", run_id="acme")

    assert not is_done(instance, run)


@pytest.mark.parametrize(
    ("done", "reason", "status"),
    [
        (TENANTS, RunFailureReason.UNEXPECTED_TERMINATION, "SUCCESS"),
        (TENANTS[:2], RunFailureReason.UNEXPECTED_TERMINATION, "FAILURE"),
        (TENANTS, RunFailureReason.STEP_FAILURE, "FAILURE"),
    ],
    ids=["all was done", "work was left", "it failed by itself"],
)
def test_a_run_that_was_interrupted_when_its_work_was_done_has_succeeded(
    instance, start, done, reason, status
):
    run = start(*done)
    instance.report_run_failed(run, "", JobFailureData(error=None, failure_reason=reason))

    mend_interrupted_run(instance, run.run_id)

    assert instance.get_run_by_id(run.run_id).status.value == status


def test_a_run_that_was_cancelled_when_its_work_was_done_stays_cancelled(instance, start):
    run = start(*TENANTS)
    instance.report_run_canceled(run)

    mend_interrupted_run(instance, run.run_id)

    assert instance.get_run_by_id(run.run_id).status.value == "CANCELED"


@pytest.mark.parametrize(
    "end",
    [SystemExit(1), KeyboardInterrupt(), click.Abort()],
    ids=["once", "twice", "twice in Dagster"],
)
def test_a_worker_that_is_told_to_stop_when_its_work_is_done_leaves_a_success(
    instance, start, signals, end
):
    run = start(*TENANTS)
    repository = RepositoryPythonOrigin(sys.executable, ModuleCodePointer("etl", "defs"))
    order = ExecuteRunArgs(
        job_origin=JobPythonOrigin(run.job_name, repository),
        run_id=run.run_id,
        instance_ref=instance.get_ref(),
        set_exit_code_on_failure=True,
    )

    def execute(_order):
        reason = RunFailureReason.UNEXPECTED_TERMINATION
        instance.report_run_failed(run, "", JobFailureData(error=None, failure_reason=reason))
        raise end

    with pytest.raises(type(end)):
        work(serialize_value(order), execute)

    assert instance.get_run_by_id(run.run_id).status.value == "SUCCESS"
