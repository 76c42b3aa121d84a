"""Schedules and sensors, as Dagster evaluates them, while failures hold them back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from orchestration.defs import tags
from orchestration.defs.ledger import Ledger
from orchestration.defs.pauses import Pauses
from orchestration.defs.schedules import build_schedule
from orchestration.defs.sensors import build_sensor
from orchestration.domain.breaker import BreakerPolicy
from orchestration.domain.job import CommandTask, Job, JobKind
from orchestration.domain.outcome import Outcome
from orchestration.domain.problem import Location
from orchestration.domain.schedule import CronTrigger, OnceTrigger, Schedule

TENANTS = ("acme", "globex", "initech")
NOW = datetime.now(UTC)
TICK = NOW.replace(minute=0, second=0, microsecond=0)
POLICY = BreakerPolicy(failures=2, open_for=timedelta(minutes=15))
ONCE = OnceTrigger(generation="7")
PAUSED = (
    "paused by `max_consecutive_errors`: the last run of `acme/orders` failed; a success of the job"
    " ends it, or `orchestrate schedule resume acme_hourly`"
)


@dg.job
def nothing() -> None: ...


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


@pytest.fixture(params=["schedule", "sensor"])
def look(request, instance):
    """What Dagster launches for the schedule of a tenant: the jobs of its runs, or the reason why
    there are none. One that is not `real` is a dry run from the UI.
    """

    def evaluate(tenant, *, name="hourly", real=True, **changes):
        log_key = ["__repository__", name, "17"] if real else None
        opened = {"instance_ref": instance.get_ref(), "log_key": log_key}
        if request.param == "schedule":
            entry = make_schedule(tenant, name, **changes)
            context = dg.ScheduleEvaluationContext(
                **opened, scheduled_execution_time=TICK, repository_name=None
            )
            built = build_schedule(entry, make_job(tenant), lambda _: True)
        else:
            entry = make_schedule(tenant, name, trigger=ONCE, **changes)
            context = dg.SensorEvaluationContext(
                **opened,
                last_tick_completion_time=None,
                last_run_key=None,
                cursor="once 6",
                repository_name=None,
            )
            built = build_sensor(entry, make_job(tenant), lambda _: True)
        with context:
            found = built.evaluate_tick(context)
        launched = [request.tags[tags.TENANT] for request in found.run_requests or ()]
        return launched or found.skip_message

    return evaluate


def make_job(tenant) -> Job:
    return Job(
        tenant=tenant,
        name="orders",
        asset="orders",
        kind=JobKind.COMMAND,
        task=CommandTask(command=("load", tenant), working_directory=Path("/")),
        location=Location(file=f"jobs/{tenant}/orders.yaml"),
        source_connector="stripe",
        breaker=POLICY,
    )


def make_schedule(tenant, name, trigger=None, **changes) -> Schedule:
    return Schedule(
        name=f"{tenant}_{name}",
        job_id=f"{tenant}/orders",
        trigger=trigger or CronTrigger(expressions=("0 * * * *",)),
        location=Location(file="runner.yaml"),
        **changes,
    )


def open_breaker(instance, tenant, *, minutes_ago) -> None:
    then = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    ledger = Ledger(lambda: instance, lambda: then)
    for _ in range(POLICY.failures):
        ledger.record(make_job(tenant), Outcome.FAILED)


def test_an_open_breaker_skips_the_schedules_of_its_tenant_alone(instance, look):
    open_breaker(instance, "globex", minutes_ago=5)

    acme, globex, initech = map(look, TENANTS)

    assert (acme, initech) == (["acme"], ["initech"])
    assert globex.startswith("the breaker of `stripe` for tenant `globex` is open since ")


def test_a_half_open_breaker_lets_one_of_two_schedules_probe(instance, look):
    open_breaker(instance, "globex", minutes_ago=20)

    assert look("globex", real=False) == ["globex"]
    assert look("globex", name="daily") == ["globex"]
    assert look("globex", name="daily") == ["globex"]
    assert "is half-open: `globex_daily " in look("globex")


def test_a_schedule_is_paused_by_the_failures_of_its_own_job_until_it_is_resumed(instance, look):
    for tenant in ("acme", "globex"):
        run = instance.create_run_for_job(
            nothing,
            status=dg.DagsterRunStatus.STARTED,
            tags={tags.job_slot(f"{tenant}/orders"): "1"},
        )
        instance.report_run_failed(run)

    assert look("acme", max_consecutive_errors=1) == PAUSED
    assert look("globex") == ["globex"]
    assert look("initech", max_consecutive_errors=1) == ["initech"]

    Pauses(lambda: instance).resume("acme_hourly")
    assert look("acme", max_consecutive_errors=1) == ["acme"]
