"""Runs that schedules have queued before the breaker opened, and that start when it has."""

import sys
from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg
import pytest
from dagster._core.storage.tags import (
    PARENT_RUN_ID_TAG,
    RETRY_NUMBER_TAG,
    ROOT_RUN_ID_TAG,
    RUN_KEY_TAG,
)

from orchestration.defs import tags
from orchestration.defs.assemble import build_definitions
from orchestration.defs.ledger import Ledger
from orchestration.defs.schedules import build_requests, read_claimant
from orchestration.domain.breaker import Admission, BreakerPolicy, BreakerState
from orchestration.domain.due import Decision, EndedRun, Look, decide, decide_tick
from orchestration.domain.job import CommandTask, Job, JobKind
from orchestration.domain.outcome import Outcome
from orchestration.domain.problem import Location
from orchestration.domain.schedule import (
    AfterCompletionTrigger,
    AssetTrigger,
    CatchUp,
    ContinuousTrigger,
    CronTrigger,
    IntervalTrigger,
    OnceTrigger,
    Schedule,
)
from orchestration.domain.workspace import Settings, Tenant, Workspace

TENANTS = ("acme", "globex", "initech")
NOW = datetime.now(UTC)
TICK = NOW.replace(minute=0, second=0, microsecond=0)
POLICY = BreakerPolicy(failures=2, open_for=timedelta(minutes=15))
SECOND = timedelta(seconds=1)
CRON = CronTrigger(expressions=("0 * * * *",), timezone="Europe/Berlin")
CONTINUOUS = ContinuousTrigger(minimum_gap=SECOND, error_backoff=SECOND, max_error_backoff=SECOND)


class Ran:
    """The runs of a job: one has ended an hour ago, if any."""

    def __init__(self, *run_ids: str) -> None:
        self._runs = [
            EndedRun(run_id=run_id, ended=NOW - timedelta(hours=1), failed=False)
            for run_id in run_ids
        ]

    def under_way(self, _at_most):
        return 0

    def ended(self, _count):
        return self._runs

    results = ended

    def last_update(self, _asset_key):
        return 17


@pytest.fixture
def instance(tmp_path):
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:
        yield instance


@pytest.fixture
def jobs(tmp_path):
    """A job a tenant, which writes down for whom it runs."""
    program = "import os, sys; open(sys.argv[1], 'a').write(os.environ['ORCHESTRATE_JOB'] + '\\n')"
    return {
        tenant: Job(
            tenant=tenant,
            name="orders",
            asset="orders",
            kind=JobKind.COMMAND,
            task=CommandTask(
                command=(sys.executable, "-c", program, str(tmp_path / "record")),
                working_directory=tmp_path,
            ),
            location=Location(file=f"jobs/{tenant}/orders.yaml"),
            source_connector="stripe",
            breaker=POLICY,
        )
        for tenant in TENANTS
    }


@pytest.fixture
def start(tmp_path, instance, jobs):
    """Start a run of a tenant's job with these tags: how it ends, and for whom jobs have run."""

    def start(tenant: str, run_tags: dict[str, str]) -> tuple[dg.DagsterRun, list[str]]:
        workspace = Workspace(
            root=tmp_path,
            runner_file=tmp_path / "runner.yaml",
            settings=Settings(state_directory=tmp_path / ".orchestrate"),
            jobs=tuple(jobs.values()),
            tenants={tenant: Tenant(name=tenant, concurrency=1) for tenant in TENANTS},
        )
        definitions = build_definitions(
            workspace, gate=lambda _: True, reload=lambda: workspace, kind_of=lambda _, name: name
        )
        result = definitions.resolve_job_def(tenant).execute_in_process(
            instance=instance, tags=run_tags, raise_on_error=False
        )
        record = tmp_path / "record"
        ran = record.read_text().split() if record.exists() else []
        return instance.get_run_by_id(result.run_id), ran

    return start


def make_schedule(tenant="acme", trigger=CRON, name="hourly", **changes) -> Schedule:
    return Schedule(
        name=f"{tenant}_{name}",
        job_id=f"{tenant}/orders",
        trigger=trigger,
        location=Location(file="runner.yaml"),
        **changes,
    )


def make_run(given) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="acme", run_id="2", tags=given)


def tags_of(schedule, job, decision) -> list[dict[str, str]]:
    """The tags that Dagster gives the runs of a decision."""
    return [
        {**request.tags, **({RUN_KEY_TAG: request.run_key} if request.run_key else {})}
        for request in build_requests(schedule, job, decision)
    ]


def tick_of(schedule, admit=lambda _: Admission()) -> Decision:
    look = Look(now=TICK, enabled=True, history=Ran(), admit=admit)
    missed = [(TICK - timedelta(hours=hours)).astimezone() for hours in (2, 1)]
    return decide_tick(schedule, TICK.astimezone(), look, lambda: missed)


def open_breaker(instance, jobs, tenant, *, minutes_ago) -> Ledger:
    then = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    earlier = Ledger(lambda: instance, lambda: then)
    for _ in range(POLICY.failures):
        earlier.record(jobs[tenant], Outcome.FAILED)
    return Ledger(lambda: instance)


def test_a_queued_run_of_a_schedule_does_not_ask_a_source_whose_breaker_has_opened(
    instance, jobs, start
):
    queued = {
        tenant: tags_of(make_schedule(tenant), jobs[tenant], tick_of(make_schedule(tenant)))[0]
        for tenant in TENANTS
    }
    ledger = open_breaker(instance, jobs, "globex", minutes_ago=5)
    [_, row, _] = ledger.breakers(jobs.values())

    ended = {tenant: start(tenant, queued[tenant])[0] for tenant in TENANTS}

    assert {tenant: run.status.value for tenant, run in ended.items()} == {
        "acme": "SUCCESS",
        "globex": "CANCELED",
        "initech": "SUCCESS",
    }
    _, ran = start("acme", {})
    assert ran == ["acme/orders", "initech/orders", "acme/orders"]
    messages = [entry.message for entry in instance.all_logs(ended["globex"].run_id)]
    assert f"The run ends, since {row.reason}." in messages
    assert ledger.breakers(jobs.values())[1] == row


def test_a_run_by_hand_and_one_that_repeats_another_start_whatever_the_breaker(
    instance, jobs, start
):
    first, _ = start("globex", {})
    again = {PARENT_RUN_ID_TAG: first.run_id, ROOT_RUN_ID_TAG: first.run_id}
    for given in ({}, {tags.SCHEDULE: "globex_hourly", **again}):
        open_breaker(instance, jobs, "globex", minutes_ago=5)

        ended, _ = start("globex", given)

        assert ended.status is dg.DagsterRunStatus.SUCCESS


def test_of_all_that_is_queued_when_it_is_half_open_the_probe_alone_starts(instance, jobs, start):
    ledger = open_breaker(instance, jobs, "globex", minutes_ago=20)
    hourly, daily = make_schedule("globex"), make_schedule("globex", name="daily")
    queued = tags_of(daily, jobs["globex"], tick_of(daily))[0]
    admit = partial(ledger.admit, jobs["globex"])
    [probe] = tags_of(hourly, jobs["globex"], tick_of(hourly, admit))

    lineage = {PARENT_RUN_ID_TAG: "1", ROOT_RUN_ID_TAG: "1", RETRY_NUMBER_TAG: "1"}
    crashed = [given | lineage for given in (queued, probe)]

    given = [queued, crashed[0], crashed[1], queued]
    ended = [start("globex", some)[0].status.value for some in given]

    assert ended == ["CANCELED", "CANCELED", "SUCCESS", "SUCCESS"]
    assert ledger.breakers([jobs["globex"]])[0].state is BreakerState.CLOSED


def test_a_queued_run_that_finds_a_half_open_breaker_without_a_probe_is_the_probe(
    instance, jobs, start
):
    ledger = open_breaker(instance, jobs, "globex", minutes_ago=20)
    hourly = make_schedule("globex")
    [queued] = tags_of(hourly, jobs["globex"], tick_of(hourly))

    ended, _ = start("globex", queued)

    assert ended.status is dg.DagsterRunStatus.SUCCESS
    assert ledger.breakers([jobs["globex"]])[0].state is BreakerState.CLOSED


@pytest.mark.parametrize(
    ("schedule", "history", "cursor"),
    [
        (make_schedule(trigger=AfterCompletionTrigger(delay=SECOND)), Ran(), None),
        (make_schedule(trigger=AfterCompletionTrigger(delay=SECOND)), Ran("1"), None),
        (make_schedule(trigger=CONTINUOUS), Ran("1"), None),
        (
            make_schedule(trigger=IntervalTrigger(interval=SECOND)),
            Ran(),
            f"ticks {(NOW - SECOND).isoformat()}",
        ),
    ],
    ids=lambda value: type(value.trigger).__name__ if isinstance(value, Schedule) else "",
)
def test_a_run_asks_under_the_name_under_which_its_sensor_has_asked(
    schedule, history, cursor, jobs
):
    asked = []
    look = Look(
        now=NOW,
        enabled=True,
        history=history,
        cursor=cursor,
        admit=lambda claimant: asked.append(claimant) or Admission(is_probe=True),
    )

    [given] = tags_of(schedule, jobs["acme"], decide(schedule, look))

    assert [read_claimant(make_run(given))] == asked


def test_a_queued_run_starts_whatever_the_breaker_if_its_occasion_does_not_come_back(
    instance, jobs, start
):
    kinds = [
        (OnceTrigger(generation="7"), "once 6"),
        (AssetTrigger(asset_key=("acme", "x")), "asset acme/x always 16"),
    ]
    crashed = {PARENT_RUN_ID_TAG: "1", ROOT_RUN_ID_TAG: "1", RETRY_NUMBER_TAG: "1"}
    for tenant in TENANTS:
        for trigger, cursor in kinds:
            schedule = make_schedule(tenant, trigger=trigger)
            look = Look(now=NOW, enabled=True, history=Ran(), cursor=cursor)
            [queued] = tags_of(schedule, jobs[tenant], decide(schedule, look))
            for given in (queued, queued | crashed):
                open_breaker(instance, jobs, tenant, minutes_ago=5)

                ended, ran = start(tenant, given)

                assert (ended.status, ran[-1]) == (
                    dg.DagsterRunStatus.SUCCESS,
                    f"{tenant}/orders",
                )


@pytest.mark.parametrize("catch_up", CatchUp)
def test_a_run_asks_under_the_name_under_which_its_tick_has_asked(catch_up, jobs):
    asked = []
    schedule = make_schedule(catch_up=catch_up)

    def admit(claimant):
        asked.append(claimant)
        return Admission(is_probe=True)

    [given] = tags_of(schedule, jobs["acme"], tick_of(schedule, admit))

    assert [read_claimant(make_run(given))] == asked
