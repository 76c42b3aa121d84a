from pathlib import Path

import pytest

from orchestration.domain.job import BrokenJob, CommandTask, Job, JobKind
from orchestration.domain.problem import Location, Problem, Severity
from orchestration.domain.schedule import CronTrigger, Schedule
from orchestration.domain.workspace import Settings, Tenant, Workspace

ROOT = Path("/srv/etl")


def make_job(tenant, name, **changes):
    job = {
        "tenant": tenant,
        "name": name,
        "asset": name,
        "kind": JobKind.COMMAND,
        "task": CommandTask(command=("load", tenant, name), working_directory=ROOT),
        "location": Location(file=f"jobs/{tenant}/{name}.yaml", line=2),
    }
    return Job(**{**job, **changes})


def make_problem(file="jobs/initech/stock.yaml", severity=Severity.ERROR, **changes):
    problem = {
        "code": "ORC104",
        "severity": severity,
        "message": "unknown key `max_retrys`",
        "help": "allowed keys are a, b and c",
        "location": Location(file=file, line=3, column=5, length=10),
    }
    return Problem(**{**problem, **changes})


def make_schedule(name, job_id, line, **changes):
    schedule = {
        "name": name,
        "job_id": job_id,
        "trigger": CronTrigger(expressions=("* * * * *",)),
        "location": Location(file="runner.yaml", line=line),
    }
    return Schedule(**{**schedule, **changes})


@pytest.fixture
def problem():
    return make_problem


@pytest.fixture
def job():
    return make_job


@pytest.fixture
def schedule():
    return make_schedule


@pytest.fixture
def workspace():
    """Three tenants, two of them in runner.yaml; one job is broken, one schedule is disabled."""
    error = make_problem()
    warning = make_problem("jobs/acme/orders.yaml", Severity.WARNING, code="ORC190")
    broken = BrokenJob(
        tenant="initech",
        name="stock",
        asset="stock",
        target_connector="duckdb",
        location=Location(file="jobs/initech/stock.yaml"),
        problems=(error,),
    )
    return Workspace(
        root=ROOT,
        runner_file=ROOT / "runner.yaml",
        settings=Settings(state_directory=ROOT / ".orchestrate", concurrency_per_tenant=2),
        jobs=(make_job("globex", "orders"), make_job("acme", "orders"), make_job("acme", "prices")),
        broken_jobs=(broken,),
        schedules=(
            make_schedule("globex-orders", "globex/orders", 7),
            make_schedule("acme-orders", "acme/orders", 11, enabled=False, tags={"team": "a"}),
        ),
        tenants={
            "acme": Tenant(name="acme", concurrency=3),
            "globex": Tenant(name="globex", concurrency=1),
        },
        problems=(warning, error),
    )
