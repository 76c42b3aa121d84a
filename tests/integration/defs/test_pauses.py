"""Schedules that failures in a row pause, in the storages of real instances."""

import dagster as dg
import pytest

from orchestration.defs import tags
from orchestration.defs.pauses import Pauses
from orchestration.domain.problem import Location
from orchestration.domain.schedule import CronTrigger, Schedule

TENANTS = ("acme", "globex", "initech")


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


@dg.job
def nothing() -> None: ...


def add_ended_run(instance, job_id, how) -> None:
    slot = {tags.job_slot(job_id): "1"}
    if how == "success":
        nothing.execute_in_process(instance=instance, tags=slot)
        return
    run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED, tags=slot)
    (instance.report_run_failed if how == "failure" else instance.report_run_canceled)(run)


def test_schedules_are_paused_by_the_runs_of_their_own_job_until_they_are_resumed(instance):
    pauses = Pauses(lambda: instance)
    schedules = [
        Schedule(
            name=f"{tenant}_hourly",
            job_id=f"{tenant}/orders",
            trigger=CronTrigger(expressions=("0 * * * *",)),
            max_consecutive_errors=2,
            location=Location(file="runner.yaml"),
        )
        for tenant in TENANTS
    ]
    add_ended_run(instance, "globex/orders", "failure")
    for how in ("failure", "failure", "cancelled"):
        add_ended_run(instance, "acme/orders", how)
        add_ended_run(instance, "initech/orders", how)
    add_ended_run(instance, "initech/orders", "success")
    assert pauses.reasons(schedules) == {
        "acme_hourly": "paused by `max_consecutive_errors`: each of the last 2 runs of"
        " `acme/orders` failed; a success of the job ends it, or `orchestrate schedule resume"
        " acme_hourly`"
    }

    pauses.resume("acme_hourly")
    assert pauses.reasons(schedules) == {}

    for _ in range(2):
        add_ended_run(instance, "acme/orders", "failure")
    assert list(pauses.reasons(schedules)) == ["acme_hourly"]


@pytest.mark.parametrize("text", ["yesterday", "2026-01-01T00:00:00"])
def test_an_instant_that_cannot_be_read_resumes_nothing_and_is_told(instance, caplog, text):
    key = "orchestration/resumed/acme_hourly"
    instance.run_storage.set_cursor_values({key: text})

    assert Pauses(lambda: instance).resumed("acme_hourly") is None
    assert caplog.messages == [f"the value of `{key}` cannot be read: {text}"]
