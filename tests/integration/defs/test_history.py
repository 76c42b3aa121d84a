"""What is read from a real instance to decide what is due."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.storage.tags import WILL_RETRY_TAG
from dagster._utils.error import SerializableErrorInfo

from orchestration.defs import tags
from orchestration.defs.history import InstanceHistory, TickHistory, launched_keys, read_tick_id
from orchestration.defs.schedules import build_schedule
from orchestration.defs.waiting import Wait, WaitingJob, announce, end_wait, read_wait
from orchestration.domain.job import CommandTask, Job, JobKind
from orchestration.domain.problem import Location
from orchestration.domain.schedule import CatchUp, CronTrigger, Schedule

STATUS = dg.DagsterRunStatus
NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)
ERROR = SerializableErrorInfo(message="broken", stack=[], cls_name=None)
HERE = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "__repository__")
TENANTS = ("acme", "globex", "initech")


def hours_ago(hours: float) -> datetime:
    return NOON - timedelta(hours=hours)


@dg.job
def nothing() -> None: ...


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def history(instance):
    """What is known of the job `orders` of `acme`."""
    return InstanceHistory(lambda: instance, "acme/orders")


def add_run(instance, *job_ids, status=STATUS.QUEUED, **more) -> str:
    slots = {tags.job_slot(job_id): "1" for job_id in job_ids}
    run = instance.create_run_for_job(
        nothing,
        status=status,
        tags=slots | more,
        remote_job_origin=HERE.get_job_origin("nothing"),
        job_code_origin=None,
    )
    return run.run_id


def end_run(instance, run_id, *, failed=False) -> None:
    run = instance.get_run_by_id(run_id)
    (instance.report_run_failed if failed else instance.report_run_canceled)(run)


def test_runs_under_way_are_those_of_the_job_alone_from_the_queue_to_the_end(instance, history):
    for tenant in TENANTS:
        for status in STATUS:
            add_run(instance, f"{tenant}/orders", status=status)
            add_run(instance, f"{tenant}/customers", status=status)

    assert history.under_way(99) == len(
        [STATUS.QUEUED, STATUS.STARTING, STATUS.STARTED, STATUS.CANCELING]
    )
    assert history.under_way(2) == 2


def test_a_run_of_several_jobs_is_one_of_each(instance, history):
    run_id = add_run(instance, "acme/orders", "globex/orders")
    assert history.under_way(9) == 1

    end_run(instance, run_id, failed=True)

    assert history.under_way(9) == 0
    assert [run.run_id for run in history.ended(1)] == [run_id]


def test_ended_runs_come_by_the_time_of_their_end_with_how_they_ended(instance, history):
    first, second, third = (add_run(instance, "acme/orders") for _ in range(3))
    other = add_run(instance, "globex/orders")
    for run_id, failed in ((second, True), (other, True), (third, False), (first, True)):
        end_run(instance, run_id, failed=failed)

    ended = history.ended(2)

    assert [(run.run_id, run.failed) for run in ended] == [
        (first, True),
        (third, False),
        (second, True),
    ]
    assert datetime.now(UTC) - ended[0].ended < timedelta(minutes=1)


def add_waiting(instance, *job_ids, jobs=(), status=STATUS.FAILURE) -> str:
    """A run of which these jobs wait. `jobs` are all that it covers, if it covers more."""
    run_id = add_run(instance, *(jobs or job_ids), status=status)
    for job_id in job_ids:
        job = WaitingJob(
            job_id=job_id, asset_key=tuple(job_id.split("/")), attempt=2, reason="it may pass"
        )
        announce(instance, run_id, job, datetime(2030, 1, 1, tzinfo=UTC))
    return run_id


def end_waits(instance, run_id, state, *job_ids) -> None:
    wait = read_wait(instance.get_run_by_id(run_id))
    end_wait(instance, wait, dict.fromkeys(job_ids, Wait(state)))


def test_a_run_that_waits_for_its_retry_is_under_way(instance, history):
    add_waiting(instance, "acme/orders")
    for state in ("launched", "replaced", "cancelled", "void"):
        end_waits(instance, add_waiting(instance, "acme/orders"), state, "acme/orders")
    for tenant in TENANTS[1:]:
        add_waiting(instance, f"{tenant}/orders")

    assert history.under_way(9) == 1


def test_a_run_that_was_cancelled_waits_for_nothing(instance, history):
    add_waiting(instance, "acme/orders", status=STATUS.CANCELED)

    assert history.under_way(9) == 0


def test_a_copy_of_a_run_that_waits_does_not(instance, history):
    """As another program makes one in a storage of Dagster's own."""
    copied = instance.get_run_by_id(add_waiting(instance, "acme/orders")).tags
    add_run(instance, "acme/orders", status=STATUS.FAILURE, **copied)

    assert history.under_way(9) == 1


@pytest.mark.parametrize("state", ["launched", "replaced", "cancelled"])
def test_a_job_whose_wait_is_over_is_not_held_by_another_that_goes_on_waiting(
    instance, history, state
):
    """For ever, if the job that waits is gone."""
    run_id = add_waiting(instance, "acme/orders", "acme/customers")

    end_waits(instance, run_id, state, "acme/orders")

    other = InstanceHistory(lambda: instance, "acme/customers")
    assert (history.under_way(9), other.under_way(9)) == (0, 1)
    is_result = state == "cancelled"
    assert [run.run_id for run in history.results(1)] == [run_id] * is_result


def test_of_a_run_of_several_jobs_only_those_wait_that_are_to_be_repeated(instance, history):
    jobs = ("acme/orders", "acme/customers", "globex/orders")
    run_id = add_waiting(instance, "acme/customers", jobs=jobs)

    waiting = {job_id: InstanceHistory(lambda: instance, job_id).under_way(9) for job_id in jobs}

    assert waiting == {"acme/orders": 0, "acme/customers": 1, "globex/orders": 0}
    assert [run.run_id for run in history.results(1)] == [run_id]


def test_of_runs_that_repeat_each_other_the_last_one_is_the_result(instance, history):
    first = add_run(instance, "acme/orders")
    for state in ("launched", "launched", "replaced", "cancelled", *["launched"] * 7):
        run_id = add_waiting(instance, "acme/orders", status=STATUS.STARTED)
        end_run(instance, run_id, failed=True)
        end_waits(instance, run_id, state, "acme/orders")
        if state == "cancelled":
            given_up = run_id
    end_run(instance, first, failed=True)

    assert [run.run_id for run in history.results(2)] == [first, given_up]
    assert len(history.ended(12)) == 12


@pytest.mark.parametrize(("will_retry", "is_result"), [("true", False), ("false", True)])
def test_a_run_that_crashed_and_that_dagster_repeats_is_no_result(
    instance, history, will_retry, is_result
):
    """As what was under way when `orchestrate dev` ended."""
    for tenant in TENANTS:
        run_id = add_run(instance, f"{tenant}/orders", **{WILL_RETRY_TAG: will_retry})
        end_run(instance, run_id, failed=True)
        if tenant == "acme":
            mine = run_id

    assert [run.run_id for run in history.results(1)] == [mine] * is_result
    assert [run.run_id for run in history.ended(1)] == [mine]


def test_a_job_that_never_ran_has_no_history(history):
    assert (history.under_way(1), history.ended(3), history.last_update(("a", "b"))) == (0, [], 0)


def test_each_update_of_an_asset_has_a_greater_number_and_others_do_not_count(instance, history):
    key = ("globex", "countries")
    seen = []
    for asset in (key, ("globex", "cities"), key):
        instance.report_runless_asset_event(dg.AssetMaterialization(dg.AssetKey(asset)))
        seen.append(history.last_update(key))

    assert 0 < seen[0] == seen[1] < seen[2]


@pytest.mark.parametrize(
    ("log_key", "tick_id"),
    [
        (["__repository__", "orders", "17"], 17),
        (["__repository__", "orders", "20260601_120000"], None),
        ([], None),
        (None, None),
    ],
)
def test_the_tick_is_the_last_part_of_the_key_of_its_log(log_key, tick_id):
    assert read_tick_id(log_key) == tick_id


def origin(name: str) -> RemoteInstigatorOrigin:
    return RemoteInstigatorOrigin(HERE, name)


def add_tick(instance, name: str, at: datetime, status: TickStatus, keys=()) -> int:
    found = instance.create_tick(
        TickData(
            instigator_origin_id=origin(name).get_id(),
            selector_id=origin(name).get_selector().get_id(),
            instigator_name=name,
            instigator_type=InstigatorType.SCHEDULE,
            status=status,
            timestamp=at.timestamp(),
            run_ids=[],
            run_keys=[key.isoformat() for key in keys],
            error=ERROR if status is TickStatus.FAILURE else None,
        )
    )
    return int(found.tick_id)


def turn_on(instance, name: str, at: datetime) -> None:
    data = ScheduleInstigatorData("0 * * * *", at.timestamp())
    instance.add_instigator_state(
        InstigatorState(origin(name), InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, data)
    )


def test_missed_ticks_are_no_older_than_the_last_tick_that_came_to_an_end(instance):
    for name in TENANTS:
        turn_on(instance, name, hours_ago(100))
    add_tick(instance, "acme", hours_ago(5), TickStatus.SUCCESS)
    add_tick(instance, "acme", hours_ago(4), TickStatus.SKIPPED)
    add_tick(instance, "acme", hours_ago(3), TickStatus.FAILURE)
    add_tick(instance, "acme", hours_ago(2), TickStatus.STARTED)
    add_tick(instance, "globex", hours_ago(1), TickStatus.SUCCESS)
    now = {name: add_tick(instance, name, NOON, TickStatus.STARTED) for name in TENANTS}

    bounds = {name: TickHistory(instance, now[name]).bounds(NOON) for name in TENANTS}

    assert bounds == {
        "acme": [hours_ago(4), hours_ago(100)],
        "globex": [hours_ago(1), hours_ago(100)],
        "initech": [hours_ago(100)],
    }


def test_what_a_tick_has_left_of_the_missed_ones_is_still_missed_at_the_next(instance):
    portion = [hours_ago(hours) for hours in (9, 8, 7)]
    add_tick(instance, "acme", hours_ago(1), TickStatus.SUCCESS, keys=portion)
    add_tick(instance, "globex", hours_ago(1), TickStatus.SUCCESS, keys=[hours_ago(1)])
    now = {name: add_tick(instance, name, NOON, TickStatus.STARTED) for name in TENANTS}

    bounds = {name: TickHistory(instance, now[name]).bounds(NOON) for name in TENANTS}

    assert bounds == {"acme": [hours_ago(7)], "globex": [hours_ago(1)], "initech": []}


def test_a_tick_that_is_evaluated_again_gives_the_same_bounds(instance):
    turn_on(instance, "acme", hours_ago(100))
    add_tick(instance, "acme", hours_ago(1), TickStatus.SUCCESS)
    failed = add_tick(instance, "acme", NOON, TickStatus.FAILURE)

    assert TickHistory(instance, failed).bounds(NOON) == [hours_ago(1), hours_ago(100)]


def test_a_tick_that_is_not_there_has_no_bounds(instance):
    assert TickHistory(instance, 99).bounds(NOON) == []


def add_scheduled_run(instance, schedule, tick, instant, status=STATUS.QUEUED) -> None:
    """A run that the schedule has launched at `tick` for the tick at `instant`."""
    scheduled = {
        "dagster/schedule_name": schedule,
        "dagster/run_key": instant.isoformat(),
        ".dagster/scheduled_execution_time": tick.isoformat(),
    }
    add_run(instance, "acme/orders", status=status, **scheduled)


def test_runs_of_a_tick_that_a_newer_one_has_overtaken_are_known(instance):
    add_scheduled_run(instance, "acme", hours_ago(1), hours_ago(4), STATUS.SUCCESS)
    add_scheduled_run(instance, "acme", hours_ago(1), hours_ago(3))
    add_scheduled_run(instance, "acme", hours_ago(1), hours_ago(2), STATUS.NOT_STARTED)
    add_scheduled_run(instance, "acme", NOON, hours_ago(1))
    add_scheduled_run(instance, "globex", hours_ago(1), hours_ago(2))

    launched = launched_keys(instance, "acme", NOON, since=datetime.now(UTC) - timedelta(hours=1))

    assert launched == {hours_ago(hours).isoformat() for hours in (4, 3, 2)}


@pytest.mark.parametrize(
    ("since", "instants"),
    [(None, (5, 2, 1, 0)), (hours_ago(2.5), (2, 1, 0)), (hours_ago(0.5), (0,))],
)
def test_a_tick_launches_what_was_missed_and_not_what_another_tick_has_launched(
    instance, since, instants
):
    """At 6 a tick went well; at 3 the daemon died at the second of two runs, before it was queued,
    and came back now.
    """
    schedule = Schedule(
        name="acme",
        job_id="acme/orders",
        trigger=CronTrigger(expressions=("0 * * * *",)),
        catch_up=CatchUp.ALL,
        location=Location(file="runner.yaml"),
    )
    job = Job(
        tenant="acme",
        name="orders",
        asset="orders",
        kind=JobKind.COMMAND,
        task=CommandTask(command=("true",), working_directory=Path("/")),
        location=Location(file="jobs/acme/orders.yaml"),
    )
    turn_on(instance, "acme", hours_ago(100))
    add_tick(instance, "acme", hours_ago(6), TickStatus.SUCCESS)
    add_tick(instance, "acme", hours_ago(3), TickStatus.STARTED)
    add_scheduled_run(instance, "acme", hours_ago(3), hours_ago(3))
    add_scheduled_run(instance, "acme", hours_ago(3), hours_ago(4), STATUS.NOT_STARTED)
    add_scheduled_run(instance, "acme", NOON, hours_ago(2))
    now = add_tick(instance, "acme", NOON, TickStatus.STARTED)
    built = build_schedule(schedule, job, lambda _: True, since)

    with dg.ScheduleEvaluationContext(instance.get_ref(), NOON, ["", "acme", str(now)]) as context:
        requests = built.evaluate_tick(context).run_requests

    assert [request.run_key for request in requests] == [
        hours_ago(hours).isoformat() for hours in instants
    ]
    assert {request.tags["orchestration/scheduled_at"] for request in requests} == {
        request.run_key for request in requests
    }


def test_only_skips_of_the_same_sensor_are_forgotten(instance):
    for name in TENANTS:
        for status in TickStatus:
            add_tick(instance, name, hours_ago(5), status)
        add_tick(instance, name, hours_ago(1), TickStatus.SKIPPED)
    now = add_tick(instance, "globex", NOON, TickStatus.STARTED)

    TickHistory(instance, now).forget_skips(hours_ago(3))

    left = {
        name: len(instance.get_ticks(origin(name).get_id(), origin(name).get_selector().get_id()))
        for name in TENANTS
    }
    every = len(TickStatus) + 1
    assert left == {"acme": every, "globex": every - 1 + 1, "initech": every}
