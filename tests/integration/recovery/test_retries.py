"""Which runs the generated instance repeats: those whose worker crashed, once, and what of them."""

import logging
import time
from functools import partial

import dagster as dg
import pytest
from dagster._core.events import JobFailureData, RunFailureReason
from dagster._core.execution.plan.handle import StepHandle
from dagster._core.execution.plan.objects import StepSuccessData
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.storage.tags import WILL_RETRY_TAG

from orchestration.defs.instance import render_instance
from orchestration.defs.lost_runs import end_lost_run
from orchestration.domain.workspace import Settings, Workspace

TENANTS = ("acme", "globex", "initech")
CRASHES = (
    RunFailureReason.START_TIMEOUT,
    RunFailureReason.UNEXPECTED_TERMINATION,
    RunFailureReason.RUN_EXCEPTION,
)


@pytest.fixture
def instance(tmp_path):
    """An instance that is set up as `orchestrate` writes it."""
    with open_instance(tmp_path) as instance:
        yield instance


@pytest.fixture(params=["sqlite", "postgres"])
def either(request, tmp_path, monkeypatch):
    """The same on either storage."""
    if request.param == "postgres":
        monkeypatch.setenv("DATABASE_URL", request.getfixturevalue("postgres_url")())
    variable = "DATABASE_URL" if request.param == "postgres" else None
    with open_instance(tmp_path, variable) as instance:
        yield instance


def open_instance(tmp_path, postgres_url=None):
    workspace = Workspace(
        root=tmp_path,
        runner_file=tmp_path / "runner.yaml",
        settings=Settings(state_directory=tmp_path, postgres_url=postgres_url),
    )
    text = render_instance(workspace, dagster_home=tmp_path, run_server=tmp_path / "socket")
    (tmp_path / "dagster.yaml").write_text(text)
    return dg.DagsterInstance.from_config(str(tmp_path))


@pytest.fixture
def start(instance):
    """Gives a run of a job of each tenant that is under way."""
    return partial(start_run, instance)


def start_run(instance, **lineage):
    assets = [dg.asset(name=tenant)(lambda: None) for tenant in TENANTS]
    job = dg.Definitions(assets=assets).resolve_implicit_global_asset_job_def()
    return instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, **lineage)


def fail(instance, run, reason):
    """Fail the run; whether it will be repeated."""
    instance.report_run_failed(run, "", JobFailureData(error=None, failure_reason=reason))
    return will_retry(instance, run)


def will_retry(instance, run):
    return instance.get_run_by_id(run.run_id).tags.get(WILL_RETRY_TAG)


@pytest.mark.parametrize("reason", CRASHES)
def test_a_run_that_crashed_is_repeated_once(instance, start, reason):
    first = start()
    assert fail(instance, first, reason) == "true"

    lineage = {"dagster/parent_run_id": first.run_id, "dagster/root_run_id": first.run_id}
    second = start(parent_run_id=first.run_id, root_run_id=first.run_id, tags=lineage)
    assert fail(instance, second, reason) == "false"


def test_a_run_whose_process_has_gone_is_repeated(instance, start):
    run = start()
    end_lost_run(instance, run, "its process was killed")

    assert will_retry(instance, run) == "true"


def test_a_run_whose_job_failed_is_not_repeated(instance, start):
    assert fail(instance, start(), RunFailureReason.STEP_FAILURE) == "false"


def test_a_run_that_was_cancelled_is_not_repeated(instance, start):
    run = start()
    instance.report_run_canceled(run)

    assert will_retry(instance, run) is None


@pytest.mark.parametrize("done", [(), TENANTS[:1], TENANTS[:2]])
def test_of_a_run_that_is_repeated_the_steps_that_were_not_done_are(instance, start, done):
    run = start()
    for tenant in done:
        event = dg.DagsterEvent(
            "STEP_SUCCESS",
            job_name=run.job_name,
            step_key=tenant,
            step_handle=StepHandle.parse_from_key(tenant),
            event_specific_data=StepSuccessData(1.0),
        )
        instance.report_dagster_event(event, run_id=run.run_id)
    end_lost_run(instance, run, "its process was killed")

    failed = instance.get_run_by_id(run.run_id)
    steps, _ = KnownExecutionState.build_resume_retry_reexecution(instance, failed)
    assert set(steps) == set(TENANTS) - set(done)


def fail_in_the_log(instance, run, seconds_ago=0):
    """What a process has done that was killed between the log and the run, or is about to go on."""
    event = dg.DagsterEvent(dg.DagsterEventType.RUN_FAILURE.value, job_name=run.job_name)
    entry = dg.EventLogEntry(
        error_info=None,
        level=logging.ERROR,
        user_message="",
        run_id=run.run_id,
        timestamp=time.time() - seconds_ago,
        dagster_event=event,
    )
    instance.event_log_storage.store_event(entry)
    return event


def shown(instance):
    """The runs whose failures the daemon sees."""
    entries = instance.event_log_storage.get_logs_for_all_runs_by_log_id(
        dagster_event_type=dg.DagsterEventType.RUN_FAILURE
    )
    return [entry.run_id for entry in entries.values()]


def test_the_daemon_sees_a_failure_when_the_run_has_failed(either):
    runs = [start_run(either) for _ in TENANTS]
    either.report_run_failed(runs[0])
    event = fail_in_the_log(either, runs[1])
    either.report_run_failed(runs[2])
    assert shown(either) == [runs[0].run_id]

    either.run_storage.handle_run_event(runs[1].run_id, event)
    assert shown(either) == [run.run_id for run in runs]


def test_a_failure_that_nobody_goes_on_with_does_not_hide_the_others(either):
    runs = [start_run(either) for _ in TENANTS]
    fail_in_the_log(either, runs[0], seconds_ago=61)
    either.report_run_failed(runs[1])

    assert shown(either) == [runs[0].run_id, runs[1].run_id]
