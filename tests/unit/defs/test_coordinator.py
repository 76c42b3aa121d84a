from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from orchestration.defs.coordinator import run_tags
from orchestration.defs.index import build_index
from orchestration.domain.limits import Priority
from orchestration.domain.workspace import Settings, Tenant


def test_a_run_of_one_job_gets_its_tags_and_counts_against_its_tenant_and_itself(make_workspace):
    entry = build_index(make_workspace()).jobs["globex/job_2"]

    assert run_tags([entry], {}) == {
        "tenant": "globex",
        "job_name": "job_2",
        "connector_type": "command",
        ".dagster/orchestration/tenant/globex": "1",
        ".dagster/orchestration/job/globex/job_2": "1",
        "dagster/max_runtime": "86470",
    }


def test_a_run_of_three_tenants_counts_against_each_of_them(make_workspace):
    jobs = build_index(make_workspace()).jobs
    entries = [jobs["acme/job_0"], jobs["globex/job_0"], jobs["initech/job_0"]]

    assert run_tags(entries, {}) == {
        "tenant": "acme,globex,initech",
        "job_name": "job_0",
        "connector_type": "command",
        ".dagster/orchestration/tenant/acme": "1",
        ".dagster/orchestration/tenant/globex": "1",
        ".dagster/orchestration/tenant/initech": "1",
        ".dagster/orchestration/job/acme/job_0": "1",
        ".dagster/orchestration/job/globex/job_0": "1",
        ".dagster/orchestration/job/initech/job_0": "1",
        "dagster/max_runtime": str(3 * 86470),
    }


def test_tags_that_a_run_already_has_are_kept(make_workspace):
    entry = build_index(make_workspace()).jobs["acme/job_0"]
    present = {"job_name": "by hand", ".dagster/orchestration/tenant/acme": "1"}

    added = run_tags([entry], present)

    assert "job_name" not in added
    assert ".dagster/orchestration/tenant/acme" not in added
    assert added["tenant"] == "acme"


def test_a_run_is_ended_from_outside_a_minute_after_it_should_have_ended_itself(
    make_job, make_workspace
):
    job = make_job(run_timeout=timedelta(minutes=30), grace_period=timedelta(seconds=20))
    settings = Settings(state_directory=Path("/state"), run_timeout=timedelta(hours=2))
    workspace = make_workspace(jobs=(job, make_job("globex")), schedules=(), settings=settings)

    index = build_index(workspace)

    own, default = index.jobs["acme/orders"], index.jobs["globex/orders"]
    assert run_tags([own], {})["dagster/max_runtime"] == str(1800 + 20 + 60)
    assert run_tags([default], {})["dagster/max_runtime"] == str(7200 + 10 + 60)
    assert run_tags([own, default], {})["dagster/max_runtime"] == str(1880 + 7270)
    assert index.max_runtime_seconds == 7200 + 60


def test_a_bound_that_a_run_has_already_is_kept(make_workspace):
    entry = build_index(make_workspace()).jobs["acme/job_0"]

    assert "dagster/max_runtime" not in run_tags([entry], {"dagster/max_runtime": "5"})


def test_limits_come_from_the_tenant_the_default_and_the_largest_of_a_jobs_enabled_schedules(
    make_workspace,
):
    workspace = make_workspace()
    first, *others = workspace.schedules
    busy = replace(first, max_concurrent_runs=3)
    off = replace(others[3], max_concurrent_runs=9, enabled=False)
    workspace = replace(workspace, schedules=(busy, *others, off))

    limits = build_index(workspace).limits

    assert {key: limit for key, limit in limits.items() if limit > 1} == {
        ".dagster/orchestration/tenant/globex": 4,
        ".dagster/orchestration/job/acme/job_0": 3,
    }
    assert len(limits) == 3 + 15


def test_a_run_counts_against_the_connectors_at_both_of_its_ends(make_job, make_workspace):
    jobs = (
        make_job("acme", "a", source_connector="stripe", target_connector="duckdb"),
        make_job("globex", "a", source_connector="postgres", target_connector="stripe"),
        make_job("initech", "a"),
    )
    settings = Settings(state_directory=Path("/srv"), connector_limits={"stripe": 4})
    index = build_index(make_workspace(jobs=jobs, schedules=(), settings=settings))

    slots = {
        entry.tenant: {key for key in run_tags([entry], {}) if "/connector/" in key}
        for entry in index.jobs.values()
    }

    prefix = ".dagster/orchestration/connector/"
    assert slots == {
        "acme": {f"{prefix}stripe", f"{prefix}duckdb"},
        "globex": {f"{prefix}stripe", f"{prefix}postgres"},
        "initech": set(),
    }
    assert index.limits[f"{prefix}stripe"] == 4
    assert f"{prefix}duckdb" not in index.limits


def test_the_priority_of_the_tenant_is_on_each_run_unless_one_is_given(make_workspace):
    tenants = {
        "acme": Tenant(name="acme", concurrency=1, priority=Priority.HIGH),
        "globex": Tenant(name="globex", concurrency=1, priority=Priority.LOW),
    }
    jobs = build_index(make_workspace(tenants=tenants)).jobs
    acme, globex, initech = (jobs[f"{name}/job_0"] for name in ("acme", "globex", "initech"))

    assert run_tags([acme], {})["dagster/priority"] == "10"
    assert run_tags([globex], {})["dagster/priority"] == "-10"
    assert "dagster/priority" not in run_tags([initech], {})
    assert "dagster/priority" not in run_tags([acme], {"dagster/priority": "0"})


def test_a_run_of_several_tenants_goes_no_earlier_than_the_least_of_them(make_workspace):
    tenants = {
        "acme": Tenant(name="acme", concurrency=1, priority=Priority.CRITICAL),
        "globex": Tenant(name="globex", concurrency=1, priority=Priority.LOW),
    }
    jobs = build_index(make_workspace(tenants=tenants)).jobs

    both = run_tags([jobs["acme/job_0"], jobs["globex/job_0"]], {})
    with_normal = run_tags([jobs["acme/job_0"], jobs["initech/job_0"]], {})

    assert both["dagster/priority"] == "-10"
    assert "dagster/priority" not in with_normal
