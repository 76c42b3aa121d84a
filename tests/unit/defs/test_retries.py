import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

from orchestration.defs import tags
from orchestration.defs.linked_runs import link
from orchestration.defs.retries import Agenda, Stuck, build_retry_sensor, plan
from orchestration.defs.waiting import Wait, WaitingJob, WaitingRun, announce, retry_tags
from orchestration.domain.breaker import Breaker, BreakerPolicy

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TENANTS = ("acme", "globex", "initech")
FAILED = dg.DagsterRunStatus.FAILURE
GONE = (
    "the job is gone or broken; bring its file back, or take the retry back with"
    " `orchestrate retry cancel`"
)
CURE = "re-execute the run in the UI, or take its retry back with `orchestrate retry cancel`"
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
    assert (agenda.over, agenda.stuck) == ([], {})


def test_a_run_that_goes_on_with_other_jobs_is_left_to_it(look):
    assert look(wait_of(1, status=dg.DagsterRunStatus.STARTED)) == Agenda()


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, FAILED])
def test_a_retry_that_was_launched_is_not_launched_again(look, status):
    wait = wait_of(1)
    wait = replace(wait, followers=(retry_of(wait, status=status),))

    assert look(wait) == Agenda(over=[(wait, {"acme/orders": Wait.LAUNCHED})])


def test_a_retry_that_was_made_and_never_queued_is_asked_for_again(look):
    wait = wait_of(1)
    wait = replace(wait, followers=(retry_of(wait, status=dg.DagsterRunStatus.NOT_STARTED),))

    assert [due.wait.run_id for due in look(wait).due] == [run_id(1)]


@pytest.mark.parametrize("hours", [0, 6])
def test_what_somebody_has_repeated_by_hand_is_left_alone_also_before_it_is_due(look, hours):
    wait = wait_of(1, due=NOW + timedelta(hours=hours))
    wait = replace(wait, followers=(by_hand(wait),))

    assert look(wait) == Agenda(over=[(wait, {"acme/orders": Wait.REPLACED})])


def test_a_run_that_was_cancelled_waits_no_more(look):
    wait = wait_of(1, due=NOW + timedelta(hours=6), status=dg.DagsterRunStatus.CANCELED)

    assert look(wait) == Agenda(over=[(wait, {"acme/orders": Wait.CANCELLED})])


def test_of_a_run_with_a_job_that_is_gone_the_others_end_their_waits(look, jobs):
    """Else what has been repeated long since would hold the schedules of its job."""
    del jobs["globex", "orders"]
    waits = {tenant: wait_of(1, tenant) for tenant in TENANTS}
    together = tuple(wait.jobs[0] for wait in waits.values())
    wait = replace(
        waits["acme"], jobs=together, followers=(retry_of(waits["acme"], status=FAILED),)
    )

    agenda = look(wait)

    assert agenda.over == [(wait, {"acme/orders": Wait.LAUNCHED})]
    assert [due.target.id for due in agenda.due] == ["initech/orders"]
    [stuck] = agenda.stuck.values()
    assert stuck.first.startswith("attempt 3 of `globex/orders`")


@pytest.mark.parametrize(
    ("answer", "repeats", "minutes", "stuck"),
    [
        ({"dagster/will_retry": "true"}, True, 1, "Dagster repeats the run, which crashed"),
        (
            {"dagster/will_retry": "true"},
            True,
            11,
            f"Dagster was to repeat the run, which crashed, and has not; {CURE}",
        ),
        ({"dagster/will_retry": "false"}, True, 11, None),
        ({}, True, 1, "it is not known yet whether Dagster repeats the run as one that crashed"),
        (
            {},
            True,
            11,
            f"Dagster does not say whether it repeats the run as one that crashed; {CURE}",
        ),
        ({}, False, 11, None),
    ],
)
def test_a_run_that_dagster_may_repeat_as_one_that_crashed_is_left_to_it(
    look, answer, repeats, minutes, stuck
):
    due = NOW - timedelta(minutes=minutes)

    agenda = look(wait_of(1, due=due, tags=answer), repeats=repeats)

    assert list(agenda.stuck) == [stuck] * bool(stuck)
    assert len(agenda.due) == (stuck is None)
    assert agenda.over == []


def test_a_partial_success_is_never_one_that_crashed(look):
    assert look(wait_of(1, status=dg.DagsterRunStatus.SUCCESS, tags={})).due


def test_the_retry_of_a_job_that_is_gone_is_not_forgotten(look, jobs):
    del jobs["globex", "orders"]
    waiting = [wait_of(n, tenant) for n, tenant in enumerate(TENANTS, 1)]

    agenda = look(*waiting)

    assert [due.target.id for due in agenda.due] == ["acme/orders", "initech/orders"]
    assert agenda.stuck == {
        GONE: Stuck(
            first=f"attempt 3 of `globex/orders` after run {run_id(2)},"
            " due since 2026-06-01 12:00:00 UTC",
            count=1,
        )
    }
    assert agenda.over == []


def test_a_retry_waits_for_the_breaker(look):
    asked = []

    def refuse(job, waiting_id):
        asked.append((job.id, waiting_id))
        return "the breaker is open" if job.tenant == "globex" else ""

    agenda = look(wait_of(1, "acme"), wait_of(2, "globex"), refuse=refuse)

    assert asked == [("acme/orders", run_id(1)), ("globex/orders", run_id(2))]
    assert [due.target.id for due in agenda.due] == ["acme/orders"]
    assert list(agenda.stuck) == ["the breaker is open"]


def test_what_there_is_no_room_for_at_a_look_is_not_asked_about(look):
    """Who is asked for a retry behind a half-open breaker counts on it."""
    asked = []

    def refuse(job, waiting_id):
        asked.append(waiting_id)
        return "" if len(asked) % 2 else "the breaker is open"

    waiting = [wait_of(n, TENANTS[n % 3]) for n in range(200)]
    agenda = look(*waiting, refuse=refuse)

    assert len(agenda.due) == 50
    assert asked == [run_id(n) for n in range(99)]
    assert agenda.stuck["the breaker is open"].count == 49


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


def add_waiting(instance, number: int, tenant: str, due: datetime, **facts) -> None:
    run = dg.DagsterRun(
        job_name=tenant, run_id=run_id(number), status=FAILED, tags=SETTLED, **facts
    )
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
            f"attempt 2 of `globex/orders` after run {run_id(2)}, due since {old:%F %T} UTC, is not"
            f" launched: {GONE}"
        ),
    ]


def test_not_too_many_are_launched_at_one_look(instance, evaluate):
    for number in range(60):
        add_waiting(instance, number, TENANTS[number % 3], datetime(2026, 1, 1, tzinfo=UTC))

    assert len(evaluate().run_requests) == 50


def test_without_jobs_there_is_a_sensor_all_the_same(instance, evaluate):
    assert evaluate([]).skip_message == "no retry waits"


@pytest.fixture
def look_at_real(instance, make_job):
    """What a look of the daemon makes of the runs of the instance, whose jobs all have a breaker; as
    the sensor of a code location, if one is named.
    """

    def look(job_ids, location=None):
        breaker = BreakerPolicy(failures=1, open_for=timedelta(days=1))
        jobs = [make_job(*job_id.split("/"), breaker=breaker) for job_id in job_ids]
        targets = [dg.define_asset_job(tenant, selection="*") for tenant in TENANTS]
        sensor = build_retry_sensor(jobs, targets)
        context = dg.SensorEvaluationContext(
            instance_ref=None,
            last_tick_completion_time=None,
            last_run_key=None,
            cursor=None,
            log_key=["__repository__", "retries", "1"],
            repository_name="__repository__",
            instance=instance,
            code_location_origin=RegisteredCodeLocationOrigin(location) if location else None,
        )
        return sensor.evaluate_tick(context)

    return look


def break_down(instance, tenant: str, ago: timedelta) -> None:
    """The breaker of the tenant has opened so long ago."""
    opened = Breaker(opened=datetime.now(UTC) - ago).to_json()
    key = f"orchestration/breaker/{tenant}/command"
    instance.run_storage.set_cursor_values({key: json.dumps(opened)})


def test_while_the_breaker_of_a_tenant_is_open_only_the_retries_of_others_are_launched(
    instance, look_at_real
):
    for number, tenant in enumerate(TENANTS, 1):
        add_waiting(instance, number, tenant, datetime(2026, 1, number, tzinfo=UTC))
    break_down(instance, "globex", timedelta(0))

    looked = look_at_real([f"{tenant}/orders" for tenant in TENANTS])

    assert [request.job_name for request in looked.run_requests] == ["acme", "initech"]


def test_of_three_jobs_of_one_run_one_is_the_probe_at_this_look_and_at_the_next(
    instance, look_at_real
):
    run = instance.add_run(dg.DagsterRun(job_name="acme", status=FAILED, tags=SETTLED))
    names = ("orders", "users", "visits")
    for name in names:
        job = WaitingJob(
            job_id=f"acme/{name}", asset_key=("acme", name), attempt=2, reason="it may pass"
        )
        announce(instance, run.run_id, job, datetime(2026, 1, 1, tzinfo=UTC))
    break_down(instance, "acme", timedelta(days=1, minutes=1))

    looks = [look_at_real([f"acme/{name}" for name in names]) for _ in range(2)]

    assert [[r.run_key for r in looked.run_requests] for looked in looks] == [
        [f"{run.run_id}/acme/orders"]
    ] * 2


def test_many_retries_behind_few_breakers_are_one_question_and_a_short_reason(
    instance, look_at_real
):
    tenants = [f"t{n}" for n in range(8)]
    for number in range(24):
        add_waiting(instance, number, tenants[number % 8], datetime(2026, 1, 1, tzinfo=UTC))
    add_waiting(instance, 30, "t7", datetime(2026, 1, 1, tzinfo=UTC))
    for tenant in tenants:
        break_down(instance, tenant, timedelta(0))
    questions = []
    read = instance.run_storage.get_cursor_values
    instance.run_storage.get_cursor_values = lambda keys: questions.append(len(keys)) or read(keys)

    skipped = look_at_real([f"{tenant}/orders" for tenant in tenants]).skip_message

    assert questions == [8]
    first, *others = skipped.split("; 3 retries")
    assert first.startswith(
        f"4 retries, the first of them attempt 2 of `t7/orders` after run {run_id(7)}, due since"
        " 2026-01-01 00:00:00 UTC, are not launched: the breaker of `command` for tenant `t7` is open"
    )
    assert len(others) == 4
    assert skipped.endswith("; 9 more for other reasons")


def test_a_look_of_one_code_location_leaves_the_runs_of_another_to_it(instance, look_at_real):
    """Both have a job of the same tenant and name, with a command of its own."""
    for number, name in enumerate(("staging", "production"), 1):
        origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(name), "__repository__")
        facts = {"remote_job_origin": origin.get_job_origin("acme")}
        add_waiting(instance, number, "acme", datetime(2026, 1, 1, tzinfo=UTC), **facts)

    keys = {
        name: [request.run_key for request in look_at_real(["acme/orders"], name).run_requests]
        for name in ("staging", "production", "another")
    }

    assert keys == {
        "staging": [f"{run_id(1)}/acme/orders"],
        "production": [f"{run_id(2)}/acme/orders"],
        "another": [],
    }


def test_a_tag_that_cannot_be_read_is_told_once_and_the_others_are_launched(
    instance, look_at_real, capsys
):
    for number, tenant in enumerate(TENANTS, 1):
        add_waiting(instance, number, tenant, datetime(2026, 1, number, tzinfo=UTC))
    instance.add_run_tags(run_id(2), {tags.retry_slot("globex/orders"): "oops"})

    looks = [look_at_real([f"{tenant}/orders" for tenant in TENANTS]) for _ in range(2)]

    assert [[r.job_name for r in looked.run_requests] for looked in looks] == [
        ["acme", "initech"]
    ] * 2
    assert instance.get_run_by_id(run_id(2)).tags[tags.RETRY] == "void"
    [told] = [line for line in capsys.readouterr().err.splitlines() if "WARNING" in line]
    assert told.endswith(
        f"run {run_id(2)} says nothing of a retry of `globex/orders` that is its own and can be"
        " read: none follows"
    )
