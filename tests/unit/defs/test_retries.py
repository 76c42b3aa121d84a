import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import dagster as dg
import pytest

from orchestration.defs import tags
from orchestration.defs.linked_runs import link
from orchestration.defs.retries import Agenda, build_retry_sensor, plan
from orchestration.defs.waiting import Wait, WaitingJob, WaitingRun, announce, retry_tags
from orchestration.domain.breaker import Breaker, BreakerPolicy

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TENANTS = ("acme", "globex", "initech")
FAILED = dg.DagsterRunStatus.FAILURE
SETTLED = {"dagster/will_retry": "false"}


def run_id(number: int) -> str:
    return str(UUID(int=number))


def wait_of(number: int, tenant: str = "acme", due: datetime = NOW, **facts) -> WaitingRun:
    """A failed run whose one job waits."""
    job = WaitingJob(
        job_id=f"{tenant}/orders", asset_key=(tenant, "orders"), attempt=3, reason="why"
    )
    values = {"status": FAILED, "tags": SETTLED} | facts
    run = dg.DagsterRun(job_name=tenant, run_id=run_id(number), **values)
    return WaitingRun(run=run, due=due, jobs=(job,))


@pytest.fixture
def jobs(make_job):
    """A job of each of three tenants, by asset key."""
    found = [make_job(tenant) for tenant in TENANTS]
    return {job.asset_key: job for job in found}


@pytest.fixture
def look(jobs):
    """A look at runs that wait."""

    def look(*waiting: WaitingRun, refuse=lambda *_: "", jobs=jobs, repeats=True) -> Agenda:
        return plan(waiting, jobs, now=NOW, refuse=refuse, crashes_are_repeated=repeats)

    return look


def retry_of(wait: WaitingRun, **facts) -> dg.DagsterRun:
    """The run that was launched as the retry of the one job of the run."""
    [job] = wait.jobs
    found = retry_tags(wait, job) | {"dagster/run_key": wait.run_key(job)}
    return link(dg.DagsterRun(job_name="acme", tags=found, **facts))


def by_hand(wait: WaitingRun) -> dg.DagsterRun:
    found = {"dagster/parent_run_id": wait.run_id, "dagster/root_run_id": wait.run_id}
    return dg.DagsterRun(job_name="acme", tags=found)


def test_of_three_tenants_those_that_are_due_are_launched(look):
    soon = NOW + timedelta(seconds=1)
    waiting = [wait_of(1, "acme"), wait_of(2, "globex", soon), wait_of(3, "initech")]

    agenda = look(*waiting)

    assert [(due.wait.run_id, due.target.id) for due in agenda.due] == [
        (run_id(1), "acme/orders"),
        (run_id(3), "initech/orders"),
    ]
    assert (agenda.over, agenda.stuck) == ([], [])


def test_a_run_that_goes_on_with_other_jobs_is_left_to_it(look):
    assert look(wait_of(1, status=dg.DagsterRunStatus.STARTED)) == Agenda()


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, FAILED])
def test_a_retry_that_was_launched_is_not_launched_again(look, status):
    wait = wait_of(1)
    wait = replace(wait, followers=(retry_of(wait, status=status),))

    assert look(wait) == Agenda(over=[(run_id(1), Wait.LAUNCHED)])


def test_a_retry_that_was_made_and_never_queued_is_asked_for_again(look):
    wait = wait_of(1)
    wait = replace(wait, followers=(retry_of(wait, status=dg.DagsterRunStatus.NOT_STARTED),))

    assert [due.wait.run_id for due in look(wait).due] == [run_id(1)]


def test_what_somebody_has_repeated_by_hand_is_left_alone(look):
    wait = wait_of(1)

    assert look(replace(wait, followers=(by_hand(wait),))) == Agenda(
        over=[(run_id(1), Wait.REPLACED)]
    )


@pytest.mark.parametrize(
    ("answer", "repeats", "stuck"),
    [
        ({"dagster/will_retry": "true"}, True, "Dagster repeats the run, which crashed"),
        ({"dagster/will_retry": "false"}, True, None),
        ({}, True, "it is not known yet whether Dagster repeats the run as one that crashed"),
        ({}, False, None),
    ],
)
def test_a_run_that_dagster_may_repeat_as_one_that_crashed_is_left_to_it(
    look, answer, repeats, stuck
):
    agenda = look(wait_of(1, tags=answer), repeats=repeats)

    assert [text.partition(" not launched: ")[2] for text in agenda.stuck] == [stuck] * bool(stuck)
    assert len(agenda.due) == (stuck is None)
    assert agenda.over == []


def test_a_partial_success_is_never_one_that_crashed(look):
    assert look(wait_of(1, status=dg.DagsterRunStatus.SUCCESS, tags={})).due


def test_the_retry_of_a_job_that_is_gone_is_not_forgotten(look, jobs):
    del jobs["globex", "orders"]
    waiting = [wait_of(n, tenant) for n, tenant in enumerate(TENANTS, 1)]

    agenda = look(*waiting)

    assert [due.target.id for due in agenda.due] == ["acme/orders", "initech/orders"]
    [stuck] = agenda.stuck
    assert stuck == (
        f"attempt 3 of `globex/orders` after run {run_id(2)} is due since 2026-06-01 12:00:00 UTC"
        " and not launched: the job is gone or broken"
    )
    assert agenda.over == []


def test_a_retry_waits_for_the_breaker(look):
    asked = []

    def refuse(job, waiting_id):
        asked.append((job.id, waiting_id))
        return "the breaker is open" if job.tenant == "globex" else ""

    agenda = look(wait_of(1, "acme"), wait_of(2, "globex"), refuse=refuse)

    assert asked == [("acme/orders", run_id(1)), ("globex/orders", run_id(2))]
    assert [due.target.id for due in agenda.due] == ["acme/orders"]
    assert agenda.stuck[0].endswith("not launched: the breaker is open")


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def evaluate(instance, make_job):
    """What Dagster makes of a look at the runs of the instance."""

    def evaluate(tenants=TENANTS) -> dg.SensorDefinition:
        jobs = [make_job(tenant) for tenant in tenants]
        targets = [dg.define_asset_job(tenant, selection="*") for tenant in tenants]
        sensor = build_retry_sensor(jobs, targets)
        return sensor.evaluate_tick(dg.build_sensor_context(instance=instance))

    return evaluate


def add_waiting(instance, number: int, tenant: str, due: datetime) -> None:
    run = dg.DagsterRun(job_name=tenant, run_id=run_id(number), status=FAILED, tags=SETTLED)
    instance.add_run(run)
    job = WaitingJob(
        job_id=f"{tenant}/orders", asset_key=(tenant, "orders"), attempt=2, reason="why"
    )
    announce(instance, run.run_id, job, due)


def test_each_request_is_for_its_own_tenant_and_names_the_run_that_waits(instance, evaluate):
    long_ago = datetime.now(UTC) - timedelta(days=2)
    for number, tenant in enumerate(TENANTS, 1):
        add_waiting(instance, number, tenant, long_ago + timedelta(minutes=number))

    requests = evaluate().run_requests

    assert [
        (r.run_key, r.job_name, [key.to_user_string() for key in r.asset_selection])
        for r in requests
    ] == [
        (f"{run_id(n)}/{tenant}/orders", tenant, [f"{tenant}/orders"])
        for n, tenant in enumerate(TENANTS, 1)
    ]
    assert [
        {key: r.tags[key] for key in (tags.RETRY_OF, tags.ATTEMPT, "dagster/parent_run_id")}
        for r in requests
    ] == [
        {tags.RETRY_OF: run_id(n), tags.ATTEMPT: "2", "dagster/parent_run_id": run_id(n)}
        for n in (1, 2, 3)
    ]


def test_a_look_that_launches_nothing_says_why(instance, evaluate):
    due, old = datetime.now(UTC) + timedelta(days=2), datetime(2026, 1, 1, tzinfo=UTC)
    texts = [evaluate().skip_message]
    add_waiting(instance, 1, "acme", due)
    texts.append(evaluate().skip_message)
    add_waiting(instance, 2, "globex", old)
    texts.append(evaluate(["acme"]).skip_message)

    assert texts == [
        "no retry waits",
        f"1 run(s) wait for a retry, the first until {due:%F %T} UTC",
        (
            f"attempt 2 of `globex/orders` after run {run_id(2)} is due since {old:%F %T} UTC"
            " and not launched: the job is gone or broken"
        ),
    ]


def test_not_too_many_are_launched_at_one_look(instance, evaluate):
    for number in range(60):
        add_waiting(instance, number, TENANTS[number % 3], datetime(2026, 1, 1, tzinfo=UTC))

    assert len(evaluate().run_requests) == 50


def test_without_jobs_there_is_a_sensor_all_the_same(instance, evaluate):
    assert evaluate([]).skip_message == "no retry waits"


def test_while_the_breaker_of_a_tenant_is_open_only_the_retries_of_others_are_launched(
    instance, make_job
):
    breaker = BreakerPolicy(failures=1, open_for=timedelta(days=1))
    jobs = [make_job(tenant, breaker=breaker) for tenant in TENANTS]
    targets = [dg.define_asset_job(tenant, selection="*") for tenant in TENANTS]
    sensor = build_retry_sensor(jobs, targets)
    for number, tenant in enumerate(TENANTS, 1):
        add_waiting(instance, number, tenant, datetime(2026, 1, number, tzinfo=UTC))

    opened = Breaker(opened=datetime.now(UTC)).to_json()
    key = "orchestration/breaker/globex/command"
    instance.run_storage.set_cursor_values({key: json.dumps(opened)})
    looked = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))

    assert [request.job_name for request in looked.run_requests] == ["acme", "initech"]
