from dataclasses import replace
from datetime import UTC, datetime, timedelta

from orchestration.defs.index import build_index, read_index, refresh_limits, write_index
from orchestration.defs.tags import tenant_slot
from orchestration.domain.job import ConnectorEnd, ConnectorTask, Job, JobKind
from orchestration.domain.problem import Location
from orchestration.domain.retry import RetryPolicy
from orchestration.domain.schedule import OnceTrigger, Schedule
from orchestration.domain.secrets import EnvSecrets, FileSecrets
from orchestration.domain.workspace import Settings, Tenant, Workspace

TENANTS = ("acme", "globex", "initech")


def workspace(root) -> Workspace:
    jobs = tuple(
        Job(
            tenant=tenant,
            name="orders",
            asset="orders",
            kind=JobKind.CONNECTOR,
            task=ConnectorTask(
                source=ConnectorEnd(
                    connector="csv", options={"path": f"{tenant}.csv", "n": [1, None]}
                ),
                target=ConnectorEnd(connector="duckdb"),
                working_directory=root,
            ),
            location=Location(file=f"jobs/{tenant}/orders.yaml", line=2),
            target_connector="duckdb",
            env={"TOKEN": "${TOKEN}"},
            timeout=timedelta(minutes=5),
            retry=RetryPolicy(max_retries=2, retryable_error_patterns=("x",)),
        )
        for tenant in TENANTS
    )
    return Workspace(
        root=root,
        runner_file=root / "runner.yaml",
        settings=Settings(state_directory=root / ".orchestrate", max_concurrent_runs=7),
        jobs=jobs,
        tenants={
            "acme": Tenant(name="acme", concurrency=1, secrets=FileSecrets(path=root / "acme")),
            "globex": Tenant(name="globex", concurrency=3, env={"A": "b"}),
            "initech": Tenant(name="initech", concurrency=2, secrets=EnvSecrets(prefix="INI_")),
        },
        is_sound=False,
    )


def test_a_job_comes_out_of_the_index_as_it_went_in(tmp_path):
    original = workspace(tmp_path)
    write_index(build_index(original), tmp_path / "state" / "index.json")

    index = read_index(tmp_path / "state" / "index.json")

    assert index == build_index(original)
    for job in original.jobs:
        assert index.restrict({job.asset_key}) == replace(original, jobs=(job,))


def test_a_schedule_is_enabled_since_the_load_that_first_found_it_so(tmp_path):
    original = workspace(tmp_path)
    schedules = {
        name: Schedule(
            name=name,
            job_id=f"{name}/orders",
            trigger=OnceTrigger(generation="1"),
            location=Location(file="runner.yaml"),
        )
        for name in TENANTS
    }
    off = replace(schedules["globex"], enabled=False)
    path = tmp_path / "index.json"
    loads = [
        (schedules["acme"], off),
        (schedules["acme"], schedules["globex"], schedules["initech"]),
        (schedules["acme"], off, schedules["initech"]),
        (schedules["acme"], schedules["globex"], schedules["initech"]),
    ]

    seen = []
    for day, entries in enumerate(loads, start=1):
        index = build_index(
            replace(original, schedules=entries),
            before=read_index(path),
            now=datetime(2026, 6, day, tzinfo=UTC),
        )
        write_index(index, path)
        seen.append({name: since.day for name, since in read_index(path).starts().items()})

    assert seen == [{}, {"globex": 2, "initech": 2}, {"initech": 2}, {"globex": 4, "initech": 2}]


def test_limits_are_in_force_ahead_of_the_definitions_if_the_files_are_right(tmp_path):
    path = tmp_path / "index.json"
    before = replace(workspace(tmp_path), is_sound=True)
    write_index(build_index(before), path)
    settings = replace(before.settings, max_concurrent_runs=9)
    more = {name: replace(tenant, concurrency=5) for name, tenant in before.tenants.items()}
    after = replace(before, settings=settings, tenants=more)

    refresh_limits(replace(after, is_sound=False), path)
    assert read_index(path) == build_index(before)

    refresh_limits(after, path)
    limits = build_index(after).limits
    assert {limits[tenant_slot(tenant)] for tenant in TENANTS} == {5}
    assert read_index(path) == replace(build_index(before), limits=limits, max_concurrent_runs=9)


def test_limits_without_an_index_wait_for_one(tmp_path):
    refresh_limits(replace(workspace(tmp_path), is_sound=True), tmp_path / "index.json")

    assert not (tmp_path / "index.json").exists()


def test_an_asset_that_is_not_in_the_index_gives_nothing(tmp_path):
    write_index(build_index(workspace(tmp_path)), tmp_path / "index.json")

    index = read_index(tmp_path / "index.json")

    assert index.restrict({("acme", "duckdb", "orders"), ("umbrella", "x")}) is None


def test_a_missing_torn_or_foreign_index_is_no_index(tmp_path):
    torn = tmp_path / "torn.json"
    torn.write_text('{"format": 1, "jobs"')
    foreign = tmp_path / "foreign.json"
    foreign.write_text('{"format": 0}')

    assert [read_index(path) for path in (tmp_path / "none.json", torn, foreign)] == [None] * 3


def test_only_the_user_can_read_the_index(tmp_path):
    path = tmp_path / "index.json"

    write_index(build_index(workspace(tmp_path)), path)

    assert path.stat().st_mode & 0o777 == 0o600
