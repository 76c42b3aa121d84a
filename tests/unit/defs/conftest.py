from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.domain.job import CommandTask, Job, JobKind
from orchestration.domain.problem import Location
from orchestration.domain.schedule import CronTrigger, Schedule
from orchestration.domain.workspace import Settings, Tenant, Workspace

ROOT = Path("/srv/ingestion")
TENANTS = ("acme", "globex", "initech")


@pytest.fixture
def make_job() -> Callable[..., Job]:
    def make(tenant: str = "acme", name: str = "orders", **changes) -> Job:
        values = {
            "asset": name,
            "kind": JobKind.COMMAND,
            "task": CommandTask(command=("echo", tenant, name), working_directory=ROOT),
            "location": Location(file=f"jobs/{tenant}/{name}.yaml", line=3),
        }
        return Job(tenant=tenant, name=name, **(values | changes))

    return make


@pytest.fixture
def make_workspace(make_job) -> Callable[..., Workspace]:
    """Three tenants with five jobs each, and a schedule for each job, unless told otherwise."""

    def make(**changes) -> Workspace:
        jobs = tuple(make_job(tenant, f"job_{n}") for tenant in TENANTS for n in range(5))
        schedules = tuple(
            Schedule(
                name=f"{job.tenant}_{job.name}_hourly",
                job_id=job.id,
                trigger=CronTrigger(expressions=("0 * * * *",), timezone="Europe/Paris"),
                tags={"team": job.tenant},
                location=Location(file="runner.yaml", line=10 + n),
            )
            for n, job in enumerate(jobs)
        )
        values = {
            "root": ROOT,
            "runner_file": ROOT / "runner.yaml",
            "settings": Settings(state_directory=ROOT / ".orchestrate"),
            "jobs": jobs,
            "schedules": schedules,
            "tenants": {"globex": Tenant(name="globex", concurrency=4)},
        }
        return Workspace(**(values | changes))

    return make
