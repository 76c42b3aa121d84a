"""Runs that nothing executes any more, in a real instance; those that are executed are in test_up."""

from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test, instance_for_test

from orchestration.defs.cancel_runs import cancel_runs


class Clock:
    """Time passes by pauses only."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def pause(self, seconds):
        self.now += seconds


@pytest.fixture
def instance():
    with instance_for_test() as instance:
        yield instance


def start(instance, tenant, status):
    tags = {"tenant": tenant, "job_name": "orders"}
    return create_run_for_test(instance, job_name=tenant, status=status, tags=tags).run_id


def test_what_cannot_end_by_itself_is_marked_and_what_has_not_started_is_left_alone(instance):
    lost = start(instance, "acme", dg.DagsterRunStatus.STARTED)
    stuck = start(instance, "globex", dg.DagsterRunStatus.CANCELING)
    waiting = start(instance, "initech", dg.DagsterRunStatus.NOT_STARTED)
    clock, told = Clock(), []

    cancel_runs(
        instance, patience=timedelta(seconds=50), tell=told.append, clock=clock, pause=clock.pause
    )

    statuses = {run_id: instance.get_run_by_id(run_id).status for run_id in (lost, stuck, waiting)}
    assert statuses == {
        lost: dg.DagsterRunStatus.CANCELED,
        stuck: dg.DagsterRunStatus.CANCELED,
        waiting: dg.DagsterRunStatus.NOT_STARTED,
    }
    assert told == [
        "acme/orders is cancelled: it had no process any more",
        "globex/orders did not end in time, and is killed",
    ]
    assert 50 <= clock.now < 51


def test_a_run_that_ends_while_it_is_waited_for_is_told(instance):
    run_id = start(instance, "acme", dg.DagsterRunStatus.CANCELING)
    clock, told = Clock(), []

    def pause(seconds):
        clock.pause(seconds)
        instance.report_run_canceled(instance.get_run_by_id(run_id))

    cancel_runs(
        instance, patience=timedelta(seconds=50), tell=told.append, clock=clock, pause=pause
    )

    assert told == ["acme/orders has ended"]
    assert clock.now < 1


def test_a_run_server_that_does_not_answer_is_waited_for_once_and_not_for_each_run(tmp_path):
    """Each time would take 5 seconds."""
    launcher = {
        "module": "orchestration.defs.launcher",
        "class": "ForkingRunLauncher",
        "config": {"socket": str(tmp_path / "gone.sock")},
    }
    clock, told = Clock(), []
    with instance_for_test(overrides={"run_launcher": launcher}) as instance:
        runs = {
            tenant: start(instance, tenant, dg.DagsterRunStatus.STARTED)
            for tenant in ("acme", "globex", "initech")
        }

        cancel_runs(
            instance,
            patience=timedelta(seconds=50),
            tell=told.append,
            clock=clock,
            pause=clock.pause,
        )

        statuses = [instance.get_run_by_id(run_id).status for run_id in runs.values()]
    assert statuses == [dg.DagsterRunStatus.CANCELED] * 3
    assert told[0].startswith(f"the run server at {tmp_path / 'gone.sock'} does not answer")
    assert sorted(told[1:]) == [
        f"{tenant}/orders is cancelled: nobody knows its process" for tenant in runs
    ]
    assert clock.now == 0
