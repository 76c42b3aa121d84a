from datetime import UTC, datetime, timedelta
from uuid import UUID

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

from orchestration.defs import tags
from orchestration.defs.linked_runs import link
from orchestration.defs.waiting import (
    Location,
    Wait,
    WaitingJob,
    announce,
    cancel_wait,
    chain_id,
    end_wait,
    find_waiting,
    first_attempt,
    is_cancelled,
    read_state,
    read_wait,
    retry_tags,
)

DUE = datetime(2026, 6, 1, 12, tzinfo=UTC)
PARENT, ROOT = "dagster/parent_run_id", "dagster/root_run_id"
FAILED = dg.DagsterRunStatus.FAILURE


def run_id(number: int) -> str:
    return str(UUID(int=number))


def wait_of(tenant: str = "acme", name: str = "orders", attempt: int = 2) -> WaitingJob:
    return WaitingJob(
        job_id=f"{tenant}/{name}",
        asset_key=(tenant, "duckdb", name),
        attempt=attempt,
        reason="exit code 2 is retryable",
    )


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def add(instance):
    """Adds a run to the instance as our storages do."""

    def add(number: int, status=FAILED, **facts) -> dg.DagsterRun:
        run = dg.DagsterRun(job_name="acme", run_id=run_id(number), status=status, **facts)
        return instance.add_run(link(run))

    return add


def test_a_run_begins_with_attempt_1_unless_it_is_the_retry_of_its_parent():
    retry = {tags.RETRY_OF: run_id(1), tags.ATTEMPT: "4"}
    by_parent = {
        parent: first_attempt(dg.DagsterRun(job_name="acme", tags={**retry, PARENT: parent}))
        for parent in (run_id(1), run_id(2))
    }

    assert by_parent == {run_id(1): 4, run_id(2): 1}
    assert first_attempt(dg.DagsterRun(job_name="acme", tags=retry)) == 1
    assert first_attempt(dg.DagsterRun(job_name="acme")) == 1


@pytest.mark.parametrize("text", ["", "two", "0", "-1", "2.5"])
def test_an_attempt_that_cannot_be_read_is_the_first_and_that_is_told(caplog, text):
    retry = {tags.RETRY_OF: run_id(1), PARENT: run_id(1), tags.ATTEMPT: text}

    assert first_attempt(dg.DagsterRun(job_name="acme", tags=retry)) == 1

    assert caplog.messages == [
        f"the tag `orchestration/attempt` is no number, and 1 is taken: `{text}`"
    ]


def test_a_run_says_until_when_which_job_waits_for_which_attempt(instance, add):
    add(1)

    announce(instance, run_id(1), wait_of(attempt=3), DUE)

    run = instance.get_run_by_id(run_id(1))
    assert run.tags == {
        "orchestration/retry": "waiting",
        "orchestration/retry_at": "2026-06-01T12:00:00+00:00",
        ".dagster/orchestration/retry/acme/orders": (
            f"{run_id(1)} 3 acme/duckdb/orders exit code 2 is retryable"
        ),
    }
    wait = read_wait(run)
    assert (wait.due, wait.jobs) == (DUE, (wait_of(attempt=3),))
    assert read_state(run, "acme/orders") is Wait.WAITING
    assert read_state(run, "acme/other") is None


def test_jobs_of_three_tenants_in_one_run_wait_for_the_last_of_them(instance, add):
    add(1)
    jobs = [wait_of(tenant) for tenant in ("acme", "globex", "initech")]

    for job, minutes in zip(jobs, (1, 9, 5), strict=True):
        announce(instance, run_id(1), job, DUE + timedelta(minutes=minutes))

    [wait] = find_waiting(instance)
    assert wait.due == DUE + timedelta(minutes=9)
    assert wait.jobs == tuple(jobs)
    assert [wait.run_key(job) for job in jobs] == [
        f"{run_id(1)}/{tenant}/orders" for tenant in ("acme", "globex", "initech")
    ]


def test_a_long_reason_is_cut_since_databases_refuse_long_tags(instance, add):
    add(1)
    job = WaitingJob(job_id="acme/a", asset_key=("acme", "a"), attempt=2, reason="x" * 5000)

    announce(instance, run_id(1), job, DUE)

    [wait] = find_waiting(instance)
    assert wait.jobs[0].reason == "x" * 200


def test_runs_that_wait_come_in_the_order_in_which_they_are_due(instance, add):
    for number, minutes in ((1, 5), (2, 1), (3, 3)):
        add(number)
        announce(instance, run_id(number), wait_of(), DUE + timedelta(minutes=minutes))

    assert [wait.run_id for wait in find_waiting(instance)] == [run_id(n) for n in (2, 3, 1)]


def test_a_run_that_was_cancelled_after_all_waits_for_nothing(instance, add):
    add(1, status=dg.DagsterRunStatus.CANCELED)
    for tenant in ("acme", "globex", "initech"):
        announce(instance, run_id(1), wait_of(tenant), DUE)

    [wait] = find_waiting(instance)
    assert wait.open_jobs() == ()
    assert wait.ended_jobs() == {
        f"{tenant}/orders": Wait.CANCELLED for tenant in ("acme", "globex", "initech")
    }
    end_wait(instance, wait, wait.ended_jobs())
    assert find_waiting(instance) == []
    assert instance.get_run_by_id(run_id(1)).tags[tags.RETRY] == "cancelled"


def test_a_run_that_has_been_given_the_tags_of_another_does_not_wait(instance, add):
    add(1)
    announce(instance, run_id(1), wait_of(), DUE)
    copied = instance.get_run_by_id(run_id(1)).tags
    instance.add_run(dg.DagsterRun(job_name="acme", run_id=run_id(2), status=FAILED, tags=copied))

    found = {wait.run_id: wait for wait in find_waiting(instance)}

    assert {key: wait.jobs for key, wait in found.items()} == {
        run_id(1): (wait_of(),),
        run_id(2): (),
    }
    assert found[run_id(2)].ended_jobs() == {"acme/orders": Wait.VOID}
    assert read_state(found[run_id(2)].run, "acme/orders") is None


@pytest.mark.parametrize(
    "text", ["", "oops", "{own}", "{own} oops", "{own} two acme/orders why", "{own} 0 a/b why"]
)
def test_a_tag_that_cannot_be_read_is_no_wait_and_costs_no_other(instance, add, text):
    for number in (1, 2):
        add(number)
    for number, tenant in ((1, "acme"), (1, "globex"), (2, "initech")):
        announce(instance, run_id(number), wait_of(tenant), DUE)
    slot = tags.retry_slot("acme/orders")
    instance.add_run_tags(run_id(1), {slot: text.format(own=run_id(1))})

    first, second = find_waiting(instance)

    assert [job.job_id for job in first.jobs + second.jobs] == ["globex/orders", "initech/orders"]
    assert first.unreadable == ("acme/orders",)
    end_wait(instance, first, first.ended_jobs())
    said = instance.get_run_by_id(run_id(1)).tags
    assert (said[slot], said[tags.RETRY]) == ("void", "waiting")
    assert find_waiting(instance)[0].unreadable == ()


def test_a_location_finds_the_waits_of_its_own_runs_and_of_runs_from_nowhere(instance, add):
    """Two locations of one instance, with the same tenant and job."""
    for number, name in enumerate(["staging", "production", None], 1):
        origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(name or ""), "__repository__")
        add(number, remote_job_origin=origin.get_job_origin("acme") if name else None)
        announce(instance, run_id(number), wait_of(), DUE)

    locations = [
        Location(repository="__repository__", name="staging"),
        Location(repository="__repository__", name="production"),
        Location(repository="another", name="staging"),
        None,
    ]
    found = [[wait.run_id for wait in find_waiting(instance, each)] for each in locations]

    assert found == [
        [run_id(1), run_id(3)],
        [run_id(2), run_id(3)],
        [run_id(3)],
        [run_id(1), run_id(2), run_id(3)],
    ]


@pytest.mark.parametrize("text", ["soon", ""])
def test_an_instant_that_cannot_be_read_has_come(instance, add, text):
    add(1)
    announce(instance, run_id(1), wait_of(), DUE)
    instance.add_run_tags(run_id(1), {tags.RETRY_AT: text})

    assert read_wait(instance.get_run_by_id(run_id(1))).due < DUE


def test_an_instant_without_an_offset_is_in_utc(instance, add):
    add(1)
    announce(instance, run_id(1), wait_of(), DUE)
    instance.add_run_tags(run_id(1), {tags.RETRY_AT: "2026-06-01T12:00:00"})

    assert read_wait(instance.get_run_by_id(run_id(1))).due == DUE


def test_a_retry_has_the_tags_that_people_and_schedules_gave_the_run_that_waits(instance, add):
    given = {
        "team": "finance",
        "orchestration/schedule": "hourly",
        "orchestration/full_refresh": "true",
        "dagster/priority": "7",
    }
    others = {
        "dagster/schedule_name": "hourly",
        "dagster/run_key": "2026",
        ".dagster/orchestration/tenant/acme": "1",
        ".dagster/scheduled_execution_time": "2026",
        "tenant": "acme,globex",
        "orchestration/traceparent": "00-0-0-01",
    }
    add(1, tags={**given, **others})
    announce(instance, run_id(1), wait_of(attempt=3), DUE)
    [wait] = find_waiting(instance)

    assert retry_tags(wait, wait.jobs[0]) == {
        **given,
        "orchestration/retry_of": run_id(1),
        "orchestration/attempt": "3",
        PARENT: run_id(1),
        ROOT: run_id(1),
    }


def test_the_retry_of_a_retry_belongs_to_the_group_of_the_first_run(instance, add):
    add(1)
    announce(instance, run_id(1), wait_of(), DUE)
    [first] = find_waiting(instance)
    add(2, tags=retry_tags(first, first.jobs[0]))
    end_wait(instance, first, {"acme/orders": Wait.LAUNCHED})
    announce(instance, run_id(2), wait_of(attempt=3), DUE)

    [second] = find_waiting(instance)

    found = retry_tags(second, second.jobs[0])
    assert (found[PARENT], found[ROOT], found[tags.ATTEMPT]) == (run_id(2), run_id(1), "3")
    assert chain_id(second.run) == run_id(1)


def test_a_new_run_is_linked_as_its_tags_say():
    named = {PARENT: run_id(2), ROOT: run_id(1), tags.RETRY_OF: run_id(2), tags.ATTEMPT: "3"}

    run = link(dg.DagsterRun(job_name="acme", tags=named))

    assert (run.parent_run_id, run.root_run_id) == (run_id(2), run_id(1))
    assert run.tags == named


def test_a_new_run_has_nothing_that_another_run_has_said_of_itself():
    """Dagster's own re-execution copies all tags, its UI those that it shows."""
    copied = {
        PARENT: run_id(3),
        ROOT: run_id(1),
        tags.RETRY_OF: run_id(2),
        tags.ATTEMPT: "3",
        tags.RETRY: "launched",
        tags.RETRY_AT: DUE.isoformat(),
        tags.retry_slot("acme/orders"): f"{run_id(3)} 4 acme/orders because",
        "team": "finance",
    }
    facts = {"parent_run_id": run_id(3), "root_run_id": run_id(1)}

    run = link(dg.DagsterRun(job_name="acme", tags=copied, **facts))

    assert run.tags == {PARENT: run_id(3), ROOT: run_id(1), "team": "finance"}
    assert (run.parent_run_id, run.root_run_id) == (run_id(3), run_id(1))


def test_what_repeats_a_waiting_run_is_found(instance, add):
    add(1)
    for tenant in ("acme", "globex", "initech"):
        announce(instance, run_id(1), wait_of(tenant), DUE)
    [wait] = find_waiting(instance)
    acme, globex, initech = wait.jobs
    key = {"dagster/run_key": wait.run_key(acme)}
    retry = add(2, tags=retry_tags(wait, acme) | key)
    again = {PARENT: run_id(1), ROOT: run_id(1)}
    add(3, tags=again, asset_selection=frozenset({dg.AssetKey(globex.asset_key)}))

    [wait] = find_waiting(instance)

    assert wait.retry_of(acme).run_id == retry.run_id
    assert [wait.is_replaced(job) for job in wait.jobs] == [False, True, False]
    assert wait.open_jobs() == (initech,)


@pytest.mark.parametrize("steps", [None, ["acme__duckdb__orders"]])
def test_a_run_by_hand_of_the_same_job_replaces_the_retry(instance, add, steps):
    add(1)
    announce(instance, run_id(1), wait_of(), DUE)
    add(2, tags={PARENT: run_id(1), ROOT: run_id(1)}, step_keys_to_execute=steps)

    [wait] = find_waiting(instance)

    assert wait.open_jobs() == ()


def test_a_run_by_hand_of_another_step_leaves_the_retry_to_us(instance, add):
    add(1)
    announce(instance, run_id(1), wait_of(), DUE)
    add(2, tags={PARENT: run_id(1), ROOT: run_id(1)}, step_keys_to_execute=["acme__other"])

    [wait] = find_waiting(instance)

    assert wait.open_jobs() == (wait_of(),)


def test_a_cancelled_wait_is_found_no_more_and_its_run_says_so(instance, add):
    add(1)
    announce(instance, run_id(1), wait_of(), DUE)
    [wait] = find_waiting(instance)
    retry = dg.DagsterRun(
        job_name="acme",
        tags=retry_tags(wait, wait.jobs[0]) | {"dagster/run_key": wait.run_key(wait.jobs[0])},
    )
    before = is_cancelled(instance, retry)

    cancel_wait(instance, wait, wait.jobs)

    assert find_waiting(instance) == []
    assert instance.get_run_by_id(run_id(1)).tags[tags.RETRY] == "cancelled"
    assert (before, is_cancelled(instance, retry)) == (False, True)
    [event] = instance.all_logs(run_id(1))
    assert event.dagster_event.message == "The retry of `acme/orders` was cancelled."


def test_of_several_jobs_of_a_run_one_can_be_cancelled(instance, add):
    add(1)
    for tenant in ("acme", "globex", "initech"):
        announce(instance, run_id(1), wait_of(tenant), DUE)
    [wait] = find_waiting(instance)

    cancel_wait(instance, wait, [wait.jobs[1]])

    [left] = find_waiting(instance)
    assert [job.job_id for job in left.jobs] == ["acme/orders", "initech/orders"]
    assert [read_state(left.run, job.job_id) for job in wait.jobs] == [
        Wait.WAITING,
        Wait.CANCELLED,
        Wait.WAITING,
    ]


def test_a_run_says_what_became_of_its_jobs_when_the_last_one_waits_no_more(instance, add):
    add(1)
    for tenant in ("acme", "globex", "initech"):
        announce(instance, run_id(1), wait_of(tenant), DUE)
    said = []
    for tenant, state in (
        ("globex", Wait.LAUNCHED),
        ("acme", Wait.CANCELLED),
        ("initech", Wait.REPLACED),
    ):
        [wait] = find_waiting(instance)
        end_wait(instance, wait, {f"{tenant}/orders": state})
        said.append(instance.get_run_by_id(run_id(1)).tags[tags.RETRY])

    assert said == ["waiting", "waiting", "launched"]


def test_those_who_each_end_a_wait_without_knowing_of_the_others_leave_nothing_behind(
    instance, add
):
    add(1)
    for tenant in ("acme", "globex", "initech"):
        announce(instance, run_id(1), wait_of(tenant), DUE)
    [wait] = find_waiting(instance)
    end_wait(instance, wait, {"acme/orders": Wait.CANCELLED})
    end_wait(instance, wait, {"globex/orders": Wait.LAUNCHED})
    end_wait(instance, wait, {"initech/orders": Wait.LAUNCHED})

    assert find_waiting(instance) == []
    assert instance.get_run_by_id(run_id(1)).tags[tags.RETRY] == "launched"


def test_what_was_cancelled_meanwhile_stays_cancelled_and_a_deleted_run_says_nothing(instance, add):
    for number in (1, 2):
        add(number)
        announce(instance, run_id(number), wait_of(), DUE)
    first, second = find_waiting(instance)
    cancel_wait(instance, first, first.jobs)
    instance.delete_run(run_id(2))

    for wait in (first, second):
        end_wait(instance, wait, {"acme/orders": Wait.LAUNCHED})

    run = instance.get_run_by_id(run_id(1))
    assert read_state(run, "acme/orders") is Wait.CANCELLED
    assert run.tags[tags.RETRY] == "cancelled"
    assert find_waiting(instance) == []


def test_the_retry_of_a_run_that_was_deleted_is_cancelled(instance, add):
    add(1)
    announce(instance, run_id(1), wait_of(), DUE)
    [wait] = find_waiting(instance)
    retry = dg.DagsterRun(job_name="acme", tags=retry_tags(wait, wait.jobs[0]))

    instance.delete_run(run_id(1))

    assert find_waiting(instance) == []
    assert is_cancelled(instance, retry)
    assert not is_cancelled(instance, dg.DagsterRun(job_name="acme"))
