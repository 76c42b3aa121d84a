"""The ledger in the storages of real instances, used by several processes at once."""

import logging
import multiprocessing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from orchestration.defs.ledger import BreakerRow, Ledger
from orchestration.defs.shared_values import find_instance, is_shared_safely
from orchestration.domain.breaker import Admission, BreakerPolicy, BreakerState
from orchestration.domain.job import CommandTask, Job, JobKind
from orchestration.domain.outcome import Outcome
from orchestration.domain.problem import Location
from orchestration.domain.retry import Disposition, RetryBudget, RetryPolicy
from orchestration.domain.workspace import Settings, Workspace
from orchestration.errors import LedgerUnavailableError

TENANTS = ("acme", "globex", "initech")
PROCESSES = 8
START = datetime(2026, 6, 1, 12, tzinfo=UTC)
POLICY = BreakerPolicy(failures=2, within=timedelta(minutes=10), open_for=timedelta(minutes=15))
EMBEDDED = """\
storage:
  custom:
    module: orchestration.defs.embedded_storage
    class: EmbeddedStorage
    config: {{base_dir: {home}}}
telemetry: {{enabled: false}}
"""
POSTGRES = """\
storage:
  custom:
    module: orchestration.defs.postgres_storage
    class: PostgresStorage
    config: {{postgres_url: "{url}"}}
telemetry: {{enabled: false}}
"""
STOCK_POSTGRES = """\
storage: {{postgres: {{postgres_url: "{url}"}}}}
telemetry: {{enabled: false}}
"""
STOCK = "telemetry: {{enabled: false}}\n"


class Clock:
    """It stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)


def make_job(tenant="acme", name="orders", breaker=POLICY, budget=None) -> Job:
    return Job(
        tenant=tenant,
        name=name,
        asset=name,
        kind=JobKind.COMMAND,
        task=CommandTask(command=("load", tenant), working_directory=Path("/")),
        location=Location(file=f"jobs/{tenant}/{name}.yaml"),
        source_connector="stripe",
        retry=RetryPolicy(max_retries=3, budget=budget),
        breaker=breaker,
    )


@pytest.fixture(params=["embedded", "postgres", "stock"])
def home(request, tmp_path):
    """The folder of an instance whose tables are there."""
    url = request.getfixturevalue("postgres_url")() if request.param == "postgres" else ""
    text = {"embedded": EMBEDDED, "postgres": POSTGRES, "stock": STOCK}[request.param]
    (tmp_path / "dagster.yaml").write_text(text.format(home=tmp_path, url=url))
    dg.DagsterInstance.from_config(str(tmp_path)).dispose()
    return tmp_path


@pytest.fixture
def instance(home):
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(instance, clock):
    return Ledger(lambda: instance, clock)


# One process


def test_a_storage_of_several_machines_without_a_lock_is_used_with_a_warning(
    tmp_path, postgres_url, caplog
):
    (tmp_path / "dagster.yaml").write_text(
        STOCK_POSTGRES.format(url=postgres_url().replace("://", "+psycopg2://"))
    )
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        ledger = Ledger(lambda: instance)
        for tenant in TENANTS:
            ledger.record(make_job(tenant), Outcome.FAILED)
        rows = ledger.breakers(map(make_job, TENANTS))
        assert not is_shared_safely(instance)

    assert [row.failures for row in rows] == [1, 1, 1]
    [warning] = [text for text in caplog.messages if "no lock" in text]
    assert warning == (
        "the storage of this Dagster instance has no lock that holds on all machines: if several"
        " share it, breakers and retry budgets are not exact"
    )


def test_our_storages_and_dagsters_own_files_are_shared_safely(instance, caplog):
    assert is_shared_safely(instance)
    Ledger(lambda: instance).record(make_job(), Outcome.FAILED)
    assert caplog.messages == []


def test_a_database_that_has_gone_away_is_not_taken_for_an_answer(tmp_path, postgres_server):
    url = postgres_server.create_database()
    (tmp_path / "dagster.yaml").write_text(POSTGRES.format(url=url))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        ledger = Ledger(lambda: instance)
        ledger.record(make_job(), Outcome.FAILED)
        postgres_server.drop_database(url)

        with pytest.raises(LedgerUnavailableError) as told:
            ledger.record(make_job(), Outcome.FAILED)
        with pytest.raises(LedgerUnavailableError) as asked:
            ledger.claim_retry(make_job())

    for error in (told.value, asked.value):
        assert error.reason.startswith("breakers and retry budgets are not within reach: ")
        assert error.help == "see whether the database of the instance is up: `orchestrate doctor`"


def test_the_breaker_of_one_tenant_opens_is_probed_and_closes_and_the_others_do_not_notice(
    ledger, clock
):
    acme, globex, initech = map(make_job, TENANTS)
    ledger.record(globex, Outcome.FAILED)
    assert ledger.record(acme, Outcome.FAILED) is None
    opened = ledger.record(acme, Outcome.TIMED_OUT)
    state = (
        "open since 2026-06-01 12:00:00 UTC, after 2 failed attempts; the next probe is at"
        " 2026-06-01 12:15:00 UTC"
    )
    reason = f"the breaker of `stripe` for tenant `acme` is {state}"
    assert opened is not None
    assert (opened.event_type, opened.level, opened.fields) == (
        "breaker_opened",
        "WARNING",
        {"tenant": "acme", "connector": "stripe", "breaker": state},
    )
    assert ledger.admit(acme, "hourly 12:00") == Admission(refusal=reason)
    assert [ledger.admit(job, "hourly 12:00") for job in (globex, initech)] == [Admission()] * 2
    assert [ledger.claim_retry(job) for job in (globex, initech)] == [None, None]
    refusal = ledger.claim_retry(acme)
    assert refusal is not None
    assert (refusal.rule, refusal.reason) == ("breaker", reason)

    clock.forward(15)
    probe = Admission(is_probe=True)
    assert ledger.admit(acme, "hourly 12:15", claim=False) == probe
    assert ledger.admit(acme, "hourly 12:16") == ledger.admit(acme, "hourly 12:16") == probe
    assert "`hourly 12:16` probes since" in ledger.admit(acme, "daily").refusal
    closed = ledger.record(acme, Outcome.SUCCEEDED)
    assert closed is not None
    assert (closed.event_type, closed.level) == ("breaker_closed", "INFO")
    assert ledger.admit(acme, "daily") == Admission()
    assert ledger.record(acme, Outcome.SUCCEEDED) is None


def test_a_probe_that_fails_opens_it_again_and_its_retry_is_refused(ledger, clock):
    job = make_job()
    for _ in range(POLICY.failures):
        ledger.record(job, Outcome.FAILED)
    clock.forward(15)
    ledger.admit(job, "hourly 12:15")

    record = ledger.record(job, Outcome.FAILED)

    assert record is not None
    assert record.event_type == "breaker_opened"
    assert ledger.claim_retry(job) is not None
    assert ledger.breakers([job]) == [
        BreakerRow(
            tenant="acme",
            connector="stripe",
            state=BreakerState.OPEN,
            failures=2,
            since=clock.now,
            next_probe=clock.now + POLICY.open_for,
            reason="the breaker of `stripe` for tenant `acme` is open since 2026-06-01"
            " 12:15:00 UTC, after 2 failed attempts; the next probe is at 2026-06-01"
            " 12:30:00 UTC",
        )
    ]


def test_a_run_of_before_it_opened_that_fails_late_does_not_stand_for_the_probe(ledger, clock):
    job = make_job()
    began = clock.now
    clock.forward(1)
    for _ in range(POLICY.failures):
        ledger.record(job, Outcome.FAILED)
    opened = clock.now
    clock.forward(15)

    assert ledger.record(job, Outcome.FAILED, began=began) is None

    [row] = ledger.breakers([job])
    assert (row.state, row.since) == (BreakerState.HALF_OPEN, opened)
    assert ledger.admit(job, "hourly 12:15").is_probe
    assert ledger.record(job, Outcome.FAILED, began=clock.now) is not None


@pytest.mark.parametrize(
    ("outcome", "disposition"),
    [
        (Outcome.CANCELLED, None),
        (Outcome.FAILED, Disposition.DISCARDABLE),
        (Outcome.PARTIAL, Disposition.DISCARDABLE),
    ],
)
def test_what_was_cancelled_or_is_discarded_is_neither_a_failure_nor_a_success(
    ledger, outcome, disposition
):
    job = make_job()
    ledger.record(job, Outcome.FAILED, Disposition.TRANSIENT)

    ledger.record(job, outcome, disposition)

    assert [row.failures for row in ledger.breakers([job])] == [1]


def test_partial_success_is_a_success(ledger):
    job = make_job()
    ledger.record(job, Outcome.FAILED)

    ledger.record(job, Outcome.PARTIAL)

    assert [row.failures for row in ledger.breakers([job])] == [0]


def test_a_breaker_that_is_reset_is_closed_and_has_forgotten(ledger):
    acme, globex, _ = map(make_job, TENANTS)
    for job in (acme, globex) * POLICY.failures:
        ledger.record(job, Outcome.FAILED)

    assert [ledger.reset("acme", "stripe"), ledger.reset("acme", "stripe")] == [True, False]

    assert [(row.tenant, row.state, row.failures) for row in ledger.breakers([globex, acme])] == [
        ("acme", BreakerState.CLOSED, 0),
        ("globex", BreakerState.OPEN, 2),
    ]


def test_jobs_of_a_tenant_with_one_connector_share_a_budget(ledger):
    budget = RetryBudget(retries=2, per=timedelta(hours=1))
    orders, customers = (make_job(name=name, budget=budget) for name in ("orders", "customers"))
    others = [make_job(tenant, budget=budget) for tenant in TENANTS[1:]]

    claims = [ledger.claim_retry(job) for job in (orders, customers, orders, customers)]

    assert claims == [None, None, budget.refusal, budget.refusal]
    assert [ledger.claim_retry(job) for job in others] == [None, None]


def test_what_cannot_be_read_is_begun_anew_and_said_so(ledger, instance, caplog):
    key = "orchestration/breaker/acme/stripe"
    for text in ("nonsense", '{"failures": 3}', "[]"):
        instance.run_storage.set_cursor_values({key: text})

        with caplog.at_level(logging.WARNING):
            assert ledger.admit(make_job(), "hourly") == Admission()

        assert caplog.messages == [
            f"the value of `{key}` cannot be read, and is begun anew: {text}"
        ]
        caplog.clear()


def test_the_state_does_not_grow(ledger, clock, instance):
    job = make_job(budget=RetryBudget(retries=3, per=timedelta(hours=1)))
    keys = {f"orchestration/{kind}/acme/stripe" for kind in ("breaker", "budget")}
    sizes = []
    for _ in range(30):
        clock.forward(330)
        ledger.claim_retry(job)
        ledger.record(job, Outcome.FAILED)
        sizes.append(sum(map(len, instance.run_storage.get_cursor_values(keys).values())))

    assert max(sizes[6:]) <= max(sizes[:6])


# Several processes


def race(home, work):
    """What `work` returns in each of several processes, which begin at the same time."""
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(PROCESSES), context.Queue()

    def begin(number: int) -> None:
        with dg.DagsterInstance.from_config(str(home)) as instance:
            ledger = Ledger(lambda: instance, Clock())
            barrier.wait(timeout=60)
            results.put(work(ledger, number))

    processes = [context.Process(target=begin, args=(number,)) for number in range(PROCESSES)]
    for process in processes:
        process.start()
    found = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    return found


def test_processes_together_do_not_exceed_the_budget_of_any_tenant(home):
    budgets = dict(zip(TENANTS, (1, 10, 25), strict=True))
    jobs = [
        make_job(tenant, budget=RetryBudget(retries=retries, per=timedelta(hours=1)))
        for tenant, retries in budgets.items()
    ]

    def claim(ledger, _):
        return [job.tenant for _ in range(5) for job in jobs if ledger.claim_retry(job) is None]

    granted = [tenant for found in race(home, claim) for tenant in found]

    assert {tenant: granted.count(tenant) for tenant in TENANTS} == budgets


def test_no_failure_is_lost_and_one_process_sees_the_breaker_open(home):
    policy = BreakerPolicy(failures=PROCESSES * 5)
    jobs = [make_job(tenant, breaker=policy) for tenant in TENANTS]

    def fail(ledger, number):
        """The last attempt of all is missing for one tenant."""
        records = [
            ledger.record(job, Outcome.FAILED)
            for turn in range(5)
            for job in jobs
            if (number, turn, job.tenant) != (0, 0, "globex")
        ]
        return [record.fields["tenant"] for record in records if record]

    opened = sorted(tenant for found in race(home, fail) for tenant in found)

    assert opened == ["acme", "initech"]
    with dg.DagsterInstance.from_config(str(home)) as instance:
        rows = Ledger(lambda: instance, Clock()).breakers(jobs)
    assert [row.failures for row in rows] == [40, 39, 40]


def test_of_all_processes_one_probes_for_each_tenant(home):
    jobs = [make_job(tenant) for tenant in TENANTS]
    with dg.DagsterInstance.from_config(str(home)) as instance:
        earlier = Clock()
        earlier.forward(-15)
        for job in jobs * POLICY.failures:
            Ledger(lambda: instance, earlier).record(job, Outcome.FAILED)

    def probe(ledger, number):
        asked = [(job.tenant, ledger.admit(job, f"schedule {number}")) for job in jobs]
        return [tenant for tenant, admission in asked if admission == Admission(is_probe=True)]

    assert sorted(tenant for found in race(home, probe) for tenant in found) == list(TENANTS)


# Where there is nothing to ask


def test_a_job_without_breaker_and_budget_does_not_even_open_the_instance():
    ledger = Ledger(lambda: pytest.fail("the instance is opened"))
    job = make_job(breaker=None)

    assert [ledger.record(job, outcome) for outcome in Outcome] == [None] * len(Outcome)
    assert ledger.claim_retry(job) is None
    assert ledger.admit(job, "hourly") == Admission()
    assert ledger.breakers([job]) == []


def test_where_nothing_was_ever_up_there_is_no_instance(tmp_path):
    workspace = Workspace(
        root=tmp_path,
        runner_file=tmp_path / "runner.yaml",
        settings=Settings(state_directory=tmp_path),
    )

    assert find_instance(workspace, {}) is None
    assert find_instance(workspace, {"DAGSTER_HOME": str(tmp_path / "elsewhere")}) is None


def test_the_ledger_of_a_workspace_is_that_of_its_instance(home, ledger, tmp_path):
    workspace = Workspace(
        root=tmp_path,
        runner_file=tmp_path / "runner.yaml",
        settings=Settings(state_directory=tmp_path / "unused"),
    )
    for _ in range(POLICY.failures):
        ledger.record(make_job(), Outcome.FAILED)

    connect = find_instance(workspace, {"DAGSTER_HOME": str(home)})

    assert connect is not None
    assert [row.failures for row in Ledger(connect).breakers([make_job()])] == [2]
