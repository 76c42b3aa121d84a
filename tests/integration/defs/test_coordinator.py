"""The run coordinator in a real instance, as the web server and the daemon use it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.run_coordinator.base import SubmitRunContext

from orchestration.defs.assemble import build_definitions
from orchestration.defs.coordinator import OrchestrationRunCoordinator, UnknownLimitsError
from orchestration.defs.index import build_index, write_index
from orchestration.defs.waiting import (
    WaitingJob,
    announce,
    cancel_wait,
    find_waiting,
    retry_tags,
)
from orchestration.domain.job import CommandTask, Job, JobKind
from orchestration.domain.problem import Location
from orchestration.domain.workspace import Settings, Tenant, Workspace

ORIGIN = RemoteRepositoryOrigin(
    RegisteredCodeLocationOrigin("orchestration"), "__repository__"
).get_job_origin("__ASSET_JOB")
TENANTS = ("acme", "globex", "initech")


def workspace(root, *, concurrency: int) -> Workspace:
    jobs = tuple(
        Job(
            tenant=tenant,
            name=f"job_{n}",
            asset=f"job_{n}",
            kind=JobKind.COMMAND,
            task=CommandTask(command=("true",), working_directory=root),
            location=Location(file=f"jobs/{tenant}/job_{n}.yaml"),
        )
        for tenant in TENANTS
        for n in range(5)
    )
    return Workspace(
        root=root,
        runner_file=root / "runner.yaml",
        settings=Settings(state_directory=root, max_concurrent_runs=12),
        jobs=jobs,
        tenants={"globex": Tenant(name="globex", concurrency=concurrency)},
    )


@pytest.fixture
def instance(tmp_path):
    overrides = {
        "run_coordinator": {
            "module": "orchestration.defs.coordinator",
            "class": "OrchestrationRunCoordinator",
            "config": {
                "index_file": str(tmp_path / "index.json"),
                "dequeue_interval_seconds": 1,
            },
        }
    }
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home"), overrides=overrides) as instance:
        yield instance


def submit_job(instance, space: Workspace, name: str, **facts) -> dict[str, str]:
    """The tags of a run of a whole job after it was submitted, as `dagster job launch` does."""
    definitions = build_definitions(
        space, gate=lambda _: True, reload=lambda: space, kind_of=lambda _, name: name
    )
    run = instance.create_run_for_job(
        definitions.resolve_job_def(name), remote_job_origin=ORIGIN, job_code_origin=None, **facts
    )
    instance.run_coordinator.submit_run(SubmitRunContext(run, workspace=None))
    return dict(instance.get_run_by_id(run.run_id).tags)


def submit(instance, space: Workspace, *keys: str) -> dict[str, str]:
    """The tags of a run of these assets after it was submitted as the UI's Materialize does."""
    definitions = build_definitions(
        space, gate=lambda _: True, reload=lambda: space, kind_of=lambda _, name: name
    )
    selection = {dg.AssetKey(key.split("/")) for key in keys}
    job = definitions.resolve_implicit_global_asset_job_def()
    run = instance.create_run_for_job(
        job.get_subset(asset_selection=selection),
        asset_selection=frozenset(selection),
        remote_job_origin=ORIGIN,
        job_code_origin=None,
    )
    instance.run_coordinator.submit_run(SubmitRunContext(run, workspace=None))
    return dict(instance.get_run_by_id(run.run_id).tags)


def test_dagster_builds_the_coordinator_from_its_configuration(instance):
    assert isinstance(instance.run_coordinator, OrchestrationRunCoordinator)
    assert instance.run_coordinator.dequeue_interval_seconds == 1


@pytest.mark.parametrize("tenant", TENANTS)
def test_a_run_from_the_ui_carries_its_tenant(instance, tmp_path, tenant):
    space = workspace(tmp_path, concurrency=2)
    write_index(build_index(space), tmp_path / "index.json")

    tags = submit(instance, space, f"{tenant}/job_3")

    assert tags["tenant"] == tenant
    assert tags["job_name"] == "job_3"
    assert tags[f".dagster/orchestration/tenant/{tenant}"] == "1"
    assert tags[f".dagster/orchestration/job/{tenant}/job_3"] == "1"


def test_a_run_over_three_tenants_counts_against_all_three(instance, tmp_path):
    space = workspace(tmp_path, concurrency=2)
    write_index(build_index(space), tmp_path / "index.json")

    tags = submit(instance, space, *(f"{tenant}/job_0" for tenant in TENANTS))

    assert {key for key in tags if key.startswith(".dagster/orchestration/tenant/")} == {
        f".dagster/orchestration/tenant/{tenant}" for tenant in TENANTS
    }


@pytest.mark.parametrize("tenant", TENANTS)
def test_a_run_of_a_whole_job_counts_against_its_tenant_and_each_of_its_jobs(
    instance, tmp_path, tenant
):
    space = workspace(tmp_path, concurrency=2)
    write_index(build_index(space), tmp_path / "index.json")

    tags = submit_job(instance, space, tenant)

    assert {key for key in tags if key.startswith(".dagster/orchestration/")} == {
        f".dagster/orchestration/tenant/{tenant}",
        *(f".dagster/orchestration/job/{tenant}/job_{n}" for n in range(5)),
    }


def test_a_run_of_everything_counts_against_every_tenant(instance, tmp_path):
    space = workspace(tmp_path, concurrency=2)
    write_index(build_index(space), tmp_path / "index.json")

    tags = submit_job(instance, space, "__ASSET_JOB")

    assert {key for key in tags if key.startswith(".dagster/orchestration/tenant/")} == {
        f".dagster/orchestration/tenant/{tenant}" for tenant in TENANTS
    }
    assert tags["job_name"] == "job_0,job_1,job_2 and 2 more"


def test_a_re_execution_is_bound_by_what_the_file_says_now(instance, tmp_path):
    space = workspace(tmp_path, concurrency=2)
    space = replace(
        space, jobs=tuple(replace(job, run_timeout=timedelta(minutes=10)) for job in space.jobs)
    )
    write_index(build_index(space), tmp_path / "index.json")
    parent = submit_job(instance, space, "acme")
    run_id = instance.get_runs()[0].run_id

    tags = submit_job(
        instance,
        space,
        "acme",
        tags={**parent, "dagster/max_runtime": "1"},
        parent_run_id=run_id,
        root_run_id=run_id,
    )

    assert tags["dagster/max_runtime"] == parent["dagster/max_runtime"] == str(5 * (600 + 10 + 60))


def test_a_run_of_no_known_job_is_bounded_too(instance, tmp_path):
    space = workspace(tmp_path, concurrency=2)
    write_index(build_index(replace(space, jobs=())), tmp_path / "index.json")

    tags = submit_job(instance, space, "acme")

    assert tags["dagster/max_runtime"] == str(24 * 3600 + 60)


def test_a_re_execution_keeps_its_priority_and_continues_the_trace(instance, tmp_path):
    space = workspace(tmp_path, concurrency=2)
    write_index(build_index(space), tmp_path / "index.json")
    parent = submit_job(instance, space, "acme", tags={"dagster/priority": "7"})
    run_id = instance.get_runs()[0].run_id

    again = submit_job(
        instance, space, "acme", tags=parent, parent_run_id=run_id, root_run_id=run_id
    )

    before, after = (tags["orchestration/traceparent"].split("-") for tags in (parent, again))
    assert again["dagster/priority"] == "7"
    assert before[1] == after[1] == run_id.replace("-", "")
    assert before[2] != after[2]


@pytest.mark.parametrize("end", ["cancel", "delete", None])
def test_a_retry_that_is_not_wanted_any_more_is_not_queued(instance, tmp_path, end):
    """The sensor has asked for it a moment before."""
    space = workspace(tmp_path, concurrency=2)
    write_index(build_index(space), tmp_path / "index.json")
    submit(instance, space, "acme/job_1")
    [waiting] = instance.get_runs()
    job = WaitingJob(job_id="acme/job_1", asset_key=("acme", "job_1"), attempt=2, reason="why")
    announce(instance, waiting.run_id, job, datetime.now(UTC))
    instance.report_run_failed(waiting)
    [wait] = find_waiting(instance)
    if end == "cancel":
        cancel_wait(instance, wait, wait.jobs)
    elif end == "delete":
        instance.delete_run(waiting.run_id)

    submit_job(
        instance,
        space,
        "acme",
        tags={**retry_tags(wait, job), "dagster/run_key": wait.run_key(job)},
    )

    retry = next(run for run in instance.get_runs() if run.run_id != waiting.run_id)
    canceled, queued = dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.QUEUED
    assert retry.status is (canceled if end else queued)


def test_limits_that_somebody_configured_by_hand_stay_in_force(tmp_path):
    coordinator = OrchestrationRunCoordinator(
        index_file=tmp_path / "index.json",
        tag_concurrency_limits=[{"key": "database", "limit": 1}],
    )
    write_index(build_index(workspace(tmp_path, concurrency=2)), tmp_path / "index.json")

    limits = coordinator.get_run_queue_config().tag_concurrency_limits

    assert limits[0] == {"key": "database", "limit": 1}
    assert len(limits) == 1 + 3 + 15


def test_limits_follow_the_index_without_a_restart(instance, tmp_path):
    path = tmp_path / "index.json"
    seen = []
    for concurrency in (2, 5):
        write_index(build_index(workspace(tmp_path, concurrency=concurrency)), path)
        config = instance.get_concurrency_config().run_queue_config
        limits = {limit["key"]: limit["limit"] for limit in config.tag_concurrency_limits}
        seen.append(
            (
                limits[".dagster/orchestration/tenant/globex"],
                limits[".dagster/orchestration/tenant/acme"],
            )
        )

    assert seen == [(2, 1), (5, 1)]
    assert config.max_concurrent_runs == 12


def test_before_the_first_index_no_run_is_queued_or_launched_and_that_is_said_once(
    instance, tmp_path, caplog
):
    with pytest.raises(UnknownLimitsError, match="its limits are not known"):
        submit(instance, workspace(tmp_path, concurrency=1), "acme/job_0")
    configs = [instance.run_coordinator.get_run_queue_config() for _ in range(3)]

    assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.NOT_STARTED]
    assert [config.max_concurrent_runs for config in configs] == [0, 0, 0]
    assert [record.getMessage() for record in caplog.records] == [
        f"no run is launched: there is no index at {tmp_path / 'index.json'}"
    ]


@pytest.mark.parametrize("content", [None, "", '{"format": 999, "jobs": {}}'])
def test_an_index_that_is_gone_or_of_another_format_leaves_the_one_before_in_force(
    instance, tmp_path, content
):
    path, space = tmp_path / "index.json", workspace(tmp_path, concurrency=2)
    write_index(build_index(space), path)
    before = instance.run_coordinator.get_run_queue_config()

    if content is None:
        path.unlink()
    else:
        path.write_text(content)

    assert instance.run_coordinator.get_run_queue_config() == before
    assert submit(instance, space, "globex/job_1")["tenant"] == "globex"


def test_an_index_of_another_format_alone_lets_nothing_be_launched(instance, tmp_path):
    path = tmp_path / "index.json"
    path.write_text('{"format": 999, "jobs": {}}')
    closed = instance.run_coordinator.get_run_queue_config()
    write_index(build_index(workspace(tmp_path, concurrency=2)), path)

    assert closed.max_concurrent_runs == 0
    assert instance.run_coordinator.get_run_queue_config().max_concurrent_runs == 12
