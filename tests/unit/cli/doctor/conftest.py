"""A workspace of three tenants, and an instance that runs it without a fault."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.cli.dev.home import Home, Instance
from orchestration.cli.doctor.observed import Daemon, Live, LiveSchedule, Observed, Run, Tick
from orchestration.defs.index import build_index
from orchestration.defs.instance import render_instance
from orchestration.domain.job import CommandTask, Job, JobKind
from orchestration.domain.problem import Location
from orchestration.domain.schedule import CronTrigger, Schedule
from orchestration.domain.workspace import Settings, Tenant, Workspace

ROOT = Path("/srv/etl")
STATE = ROOT / ".orchestrate"
NOW = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
TENANTS = ("acme", "globex", "initech")
HOME = Home(state=STATE, dagster=STATE / "dagster", socket=STATE / "code-server.sock")


def make_job(tenant):
    return Job(
        tenant=tenant,
        name="orders",
        asset="orders",
        kind=JobKind.COMMAND,
        task=CommandTask(command=("load", tenant), working_directory=ROOT),
        location=Location(file=f"jobs/{tenant}/orders.yaml"),
        source_connector="stripe",
    )


def make_schedule(tenant, **changes):
    schedule = Schedule(
        name=f"{tenant}_hourly",
        job_id=f"{tenant}/orders",
        trigger=CronTrigger(expressions=("0 * * * *",)),
        location=Location(file="runner.yaml"),
    )
    return replace(schedule, **changes)


WORKSPACE = Workspace(
    root=ROOT,
    runner_file=ROOT / "runner.yaml",
    settings=Settings(state_directory=STATE, connector_limits={"stripe": 4}),
    tenants={name: Tenant(name=name, concurrency=n) for n, name in enumerate(TENANTS, start=1)},
    jobs=tuple(map(make_job, TENANTS)),
    schedules=tuple(map(make_schedule, TENANTS)),
)


def make_run(tenant, status, *, since, **changes):
    run = Run(
        run_id=f"run of {tenant}",
        status=status,
        created=NOW - since,
        since=NOW - since,
        job=f"{tenant}/orders",
        tags={"tenant": tenant, "job_name": "orders"},
    )
    return replace(run, **changes)


def observe(workspace=WORKSPACE, *, live=None, **changes):
    """What is seen of a workspace that is served as it is, by an instance of two hours."""
    wanted = build_index(workspace)
    seen = Observed(
        now=NOW,
        workspace=workspace,
        wanted=wanted,
        home=HOME,
        installed={
            "dagster": "1.13.27",
            "dagster-graphql": "1.13.27",
            "dagster-pipes": "1.13.27",
            "dagster-shared": "1.13.27",
            "dagster-webserver": "1.13.27",
            "dagster-postgres": "0.29.27",
            "python": "3.12.1",
        },
        instance=Instance(
            command="up",
            pid=7,
            url="http://localhost:3000",
            socket=str(HOME.socket),
            started="2026-01-31T10:30:00+00:00",
            python="3.12.1",
        ),
        live=live or make_live(workspace),
        index=wanted,
        newest_file=NOW - timedelta(hours=3),
        indexed=NOW - timedelta(hours=2),
        settings_text=render_instance(
            workspace, dagster_home=HOME.dagster, run_server=HOME.run_server
        ),
        free_bytes={STATE: 50 * 2**30},
    )
    return replace(seen, **changes)


def make_live(workspace=WORKSPACE, **changes):
    index = build_index(workspace)
    tick = Tick(at=NOW.replace(minute=0), status="SUCCESS")
    started = NOW - timedelta(days=3)
    live = Live(
        version="1.13.27",
        coordinator="OrchestrationRunCoordinator",
        limits=index.limits,
        max_concurrent_runs=10,
        daemons=(
            Daemon(name="SCHEDULER", heartbeat=NOW - timedelta(seconds=20)),
            Daemon(name="SENSOR", heartbeat=NOW - timedelta(seconds=20)),
        ),
        location_error=None,
        schedules={
            schedule.name: LiveSchedule(is_on=True, since=started, tick=tick)
            for schedule in workspace.schedules
        },
        queued=(),
        under_way=(),
        retry_sensor=LiveSchedule(is_on=True),
    )
    return replace(live, **changes)


@pytest.fixture
def bench():
    """The makers above, as one value: tests cannot import from here."""

    class Bench:
        now = NOW
        workspace = WORKSPACE
        home = HOME
        observe = staticmethod(observe)
        live = staticmethod(make_live)
        run = staticmethod(make_run)
        schedule = staticmethod(make_schedule)

    return Bench
