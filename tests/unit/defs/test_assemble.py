from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from orchestration.defs.assemble import build_contents, build_definitions
from orchestration.defs.repository import WorkspaceRepository
from orchestration.domain.job import BrokenJob, CommandTask
from orchestration.domain.problem import Location, Problem, Severity
from orchestration.domain.schedule import IntervalTrigger, OnceTrigger

TENANTS = ("acme", "globex", "initech")
SINCE = datetime(2026, 6, 1, tzinfo=UTC)
PROBLEM = Problem(
    code="ORC104",
    severity=Severity.ERROR,
    message="unknown key `max_retrys`",
    help="allowed keys are ...",
    hint="did you mean `max_retries`?",
    location=Location(file="jobs/acme/broken.yaml", line=4, column=3, length=10),
    source_line="  max_retrys: 3",
)


def build(workspace) -> dg.RepositoryDefinition:
    return build_definitions(
        workspace, gate=lambda _: True, reload=lambda: workspace, kind_of=lambda _, name: name
    ).get_repository_def()


def test_each_job_is_one_asset_in_the_group_of_its_tenant(make_workspace):
    graph = build(make_workspace()).asset_graph

    assert {
        key.to_user_string(): graph.get(key).group_name for key in graph.get_all_asset_keys()
    } == {f"{tenant}/job_{n}": tenant for tenant in TENANTS for n in range(5)}


def test_each_asset_is_bound_to_its_own_command(make_workspace):
    graph = build(make_workspace()).asset_graph

    commands = {
        key.to_user_string(): graph.get(key).assets_def.op.compute_fn.job.task.command
        for key in graph.get_all_asset_keys()
    }

    assert commands == {
        f"{tenant}/job_{n}": ("echo", tenant, f"job_{n}") for tenant in TENANTS for n in range(5)
    }


def test_there_is_one_job_a_tenant_over_its_own_assets_only(make_workspace):
    repository = build(make_workspace())

    jobs = {
        job.name: {key.path[0] for key in job.asset_layer.selected_asset_keys}
        for job in repository.get_all_jobs()
        if job.name != "__ASSET_JOB"
    }

    assert jobs == {tenant: {tenant} for tenant in TENANTS}


def test_every_job_runs_its_steps_in_the_process_of_the_run(make_workspace):
    executors = {job.name: job.executor_def.name for job in build(make_workspace()).get_all_jobs()}

    assert executors == dict.fromkeys(["__ASSET_JOB", *TENANTS], "in_process")


def test_an_asset_shows_connectors_owners_tags_and_the_line_of_its_file(make_job, make_workspace):
    job = make_job(
        "acme",
        "orders",
        description="Orders of the shop.",
        source_connector="csv",
        target_connector="duckdb",
        owners=("team:sales", "ann@acme.example"),
        tags={"tier": "gold"},
        task=CommandTask(command=("/usr/bin/python3", "x.py"), working_directory="/srv"),
    )
    node = build(make_workspace(jobs=(job,), schedules=())).asset_graph.get(
        dg.AssetKey(["acme", "duckdb", "orders"])
    )

    assert node.kinds == {"csv", "duckdb", "python"}
    assert node.owners == ["team:sales", "ann@acme.example"]
    assert node.description == "Orders of the shop."
    assert {key: value for key, value in node.tags.items() if "kind" not in key} == {
        "tier": "gold",
        "tenant": "acme",
        "job_name": "orders",
        "connector_type": "csv",
    }
    [reference] = node.metadata["dagster/code_references"].code_references
    assert reference.file_path == "/srv/ingestion/jobs/acme/orders.yaml"
    assert reference.line_number == 3


def test_a_connector_is_shown_by_its_kind_and_one_that_is_not_installed_by_its_name(
    make_job, make_workspace
):
    jobs = (
        make_job("acme", "a", source_connector="jsonl"),
        make_job("globex", "a", source_connector="Stripe"),
        make_job("initech", "a", target_connector="duckdb"),
    )
    workspace = make_workspace(jobs=jobs, schedules=())
    known = {("source", "jsonl"): "json", ("target", "duckdb"): "duckdb"}

    contents = build_contents(
        workspace,
        gate=lambda _: True,
        reload=lambda: workspace,
        kind_of=lambda role, name: known.get((role, name)),
    )

    specs = contents.definitions.resolve_all_asset_specs()
    assert {spec.key.path[0]: spec.kinds for spec in specs} == {
        "acme": {"json", "shell"},
        "globex": {"stripe", "shell"},
        "initech": {"duckdb", "shell"},
    }


def test_a_broken_job_stays_visible_in_its_tenants_group_with_a_check_and_its_message(
    make_workspace,
):
    broken = BrokenJob(
        tenant="acme",
        name="broken",
        asset="broken",
        target_connector=None,
        location=PROBLEM.location,
        problems=(PROBLEM,),
    )
    repository = build(make_workspace(broken_jobs=(broken,), problems=(PROBLEM,)))

    node = repository.asset_graph.get(dg.AssetKey(["acme", "broken"]))

    assert not node.is_executable
    assert node.group_name == "acme"
    assert "jobs/acme/broken.yaml:4:3: error ORC104: unknown key `max_retrys`" in node.description
    assert node.check_keys == {dg.AssetCheckKey(dg.AssetKey(["acme", "broken"]), "config_valid")}
    assert len(repository.asset_graph.get_all_asset_keys()) == 16


def test_a_stale_job_still_runs_and_carries_the_failing_check(make_workspace):
    workspace = make_workspace()
    first, *others = workspace.jobs
    problem = replace(PROBLEM, location=first.location)
    workspace = replace(workspace, jobs=(replace(first, stale=True), *others), problems=(problem,))

    node = build(workspace).asset_graph.get(dg.AssetKey(first.asset_key))

    assert node.is_executable
    assert {key.name for key in node.check_keys} == {"complete", "config_valid"}


def test_the_sensor_reports_all_faults_once(make_workspace):
    broken = BrokenJob(
        tenant="acme",
        name="broken",
        asset="broken",
        target_connector=None,
        location=PROBLEM.location,
        problems=(PROBLEM,),
    )
    sensor = build(make_workspace(broken_jobs=(broken,))).get_sensor_def("config_problems")

    with dg.DagsterInstance.ephemeral() as instance:
        first = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
        again = sensor.evaluate_tick(
            dg.build_sensor_context(instance=instance, cursor=first.cursor)
        )

    [event] = first.asset_events
    assert (event.asset_key.path, event.check_name, event.passed) == (
        ["acme", "broken"],
        "config_valid",
        False,
    )
    assert again.asset_events == []
    assert again.skip_message == "these problems have been reported"


def test_an_entry_is_a_schedule_or_a_sensor_by_what_cron_can_say(make_workspace):
    workspace = make_workspace()
    triggers = {
        1: OnceTrigger(generation="1"),
        6: IntervalTrigger(interval=timedelta(seconds=90)),
        11: IntervalTrigger(interval=timedelta(minutes=90)),
    }
    schedules = tuple(
        replace(schedule, trigger=triggers.get(n, schedule.trigger))
        for n, schedule in enumerate(workspace.schedules)
    )
    repository = build(replace(workspace, schedules=schedules))

    targets = {s.name: [target.job_name for target in s.targets] for s in repository.sensor_defs}
    assert targets == {
        "acme_job_1_hourly__sensor": ["acme"],
        "globex_job_1_hourly__sensor": ["globex"],
        "retries": ["acme", "globex", "initech"],
    }
    assert {schedule.name for schedule in repository.schedule_defs} == {
        f"{tenant}_job_{n}_hourly" for tenant in TENANTS for n in range(5)
    } - {"acme_job_1_hourly", "globex_job_1_hourly"}


def test_an_entry_of_a_broken_job_is_neither(make_workspace):
    workspace = make_workspace()
    triggered = tuple(
        replace(schedule, trigger=OnceTrigger(generation="1")) for schedule in workspace.schedules
    )

    repository = build(replace(workspace, jobs=workspace.jobs[:1], schedules=triggered))

    names = {sensor.name for sensor in repository.sensor_defs}
    assert names == {"acme_job_0_hourly__sensor", "retries"}


def test_nothing_fires_while_it_is_not_known_what_runner_yaml_says(make_workspace):
    sound = make_workspace()

    counts = [
        (len(repository.schedule_defs), len(repository.assets_defs_by_key))
        for repository in map(build, (sound, replace(sound, is_sound=False)))
    ]

    assert counts == [(15, 15), (0, 15)]


def test_schedules_know_since_when_they_are_enabled(make_workspace):
    workspace = make_workspace()
    first, second, *_ = workspace.schedules
    second = replace(second, trigger=OnceTrigger(generation="1"))
    since = {first.name: SINCE, second.name: SINCE}

    contents = build_contents(
        replace(workspace, schedules=(first, second)),
        gate=lambda _: True,
        reload=lambda: workspace,
        kind_of=lambda _, name: name,
        enabled_since=since,
    )

    assert contents.schedules[0]._execution_fn.since == SINCE
    assert contents.sensors[0]._raw_fn.since == SINCE


def test_a_sound_workspace_has_no_sensor_but_that_of_retries(make_workspace):
    [sensor] = build(make_workspace()).sensor_defs

    assert (sensor.name, sensor.default_status) == ("retries", dg.DefaultSensorStatus.RUNNING)


@pytest.mark.parametrize("selected", ["acme/job_1", "initech/job_4"])
def test_a_run_of_one_asset_builds_only_that_asset(make_workspace, selected):
    workspace = make_workspace()
    key = dg.AssetKey(selected.split("/"))

    def part(keys):
        jobs = tuple(job for job in workspace.jobs if dg.AssetKey(job.asset_key) in keys)
        return build_definitions(
            replace(workspace, jobs=jobs, schedules=()),
            gate=lambda _: True,
            reload=lambda: workspace,
            kind_of=lambda _, name: name,
        )

    def whole():
        pytest.fail("the whole was built for a run of one asset")

    job = WorkspaceRepository(whole=whole, part=part).get_maybe_subset_job_def(
        "__ASSET_JOB", asset_selection={key}
    )

    assert job.asset_layer.selected_asset_keys == {key}
    assert [node.name for node in job.nodes] == ["__".join(key.path)]


def test_where_everything_is_loaded_a_part_is_a_subset_of_the_whole_job(make_workspace):
    workspace = make_workspace()
    key = dg.AssetKey(["globex", "job_2"])
    repository = WorkspaceRepository(
        whole=lambda: build_contents(
            workspace, gate=lambda _: True, reload=lambda: workspace, kind_of=lambda _, name: name
        ),
        part=lambda _: build_definitions(
            replace(workspace, jobs=(workspace.jobs[7],), schedules=()),
            gate=lambda _: True,
            reload=lambda: workspace,
            kind_of=lambda _, name: name,
        ),
    )
    repository.load_all_definitions()

    job = repository.get_maybe_subset_job_def("globex", asset_selection={key})

    lineage = job.get_job_snapshot().lineage_snapshot
    assert job.asset_layer.selected_asset_keys == {key}
    assert lineage.parent_snapshot_id == repository.get_job("globex").get_job_snapshot_id()


def test_the_lazy_repository_holds_what_the_definitions_hold(make_workspace):
    workspace = make_workspace()
    first, *others = workspace.schedules
    sensor = replace(first, name="again", trigger=OnceTrigger(generation="1"))
    workspace = replace(workspace, schedules=(sensor, *others))
    lazy = WorkspaceRepository(
        whole=lambda: build_contents(
            workspace, gate=lambda _: True, reload=lambda: workspace, kind_of=lambda _, name: name
        ),
        part=lambda _: None,
    )
    plain = build(workspace)

    lazy.load_all_definitions()

    assert set(lazy.job_names) == set(plain.job_names)
    assert {s.name for s in lazy.schedule_defs} == {s.name for s in plain.schedule_defs}
    assert {s.name for s in lazy.sensor_defs} == {s.name for s in plain.sensor_defs}
    assert lazy.asset_graph.get_all_asset_keys() == plain.asset_graph.get_all_asset_keys()
    for tenant in TENANTS:
        assert (
            lazy.get_job(tenant).asset_layer.selected_asset_keys
            == plain.get_job(tenant).asset_layer.selected_asset_keys
        )


def test_asking_for_a_job_without_a_selection_loads_nothing_until_it_is_looked_at(make_workspace):
    """Dagster's run worker asks so before it asks for what the run selects, and drops the answer."""
    workspace = make_workspace()
    loads = []

    def whole():
        loads.append("whole")
        return build_contents(
            workspace, gate=lambda _: True, reload=lambda: workspace, kind_of=lambda _, name: name
        )

    job = WorkspaceRepository(whole=whole, part=lambda _: None).get_maybe_subset_job_def("acme")
    before = list(loads)

    assert (job.name, {node.name for node in job.nodes}) == (
        "acme",
        {"__".join(job.asset_key) for job in workspace.jobs if job.tenant == "acme"},
    )
    assert (before, loads) == ([], ["whole"])
