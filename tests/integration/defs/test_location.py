"""The code location over real files: what it writes, what it reads, and what it survives."""

import os
from pathlib import Path

import dagster as dg
import pytest

from orchestration.connectors.registry import CATALOG
from orchestration.defs.location import CodeLocation
from orchestration.errors import UnknownJobError

TENANTS = ("acme", "globex", "initech")


@pytest.fixture
def root(tmp_path) -> Path:
    entries = []
    for tenant in TENANTS:
        job = tmp_path / "jobs" / tenant / "orders.yaml"
        job.parent.mkdir(parents=True)
        job.write_text(f"asset: orders\ncommand: [echo, {tenant}]\n")
        entries.append(f"{{name: {tenant}, config: jobs/{tenant}/orders.yaml, cron: '0 6 * * *'}}")
    lines = "".join(f"      - {entry}\n" for entry in entries)
    (tmp_path / "runner.yaml").write_text(f"runner:\n  orchestrator:\n    schedules:\n{lines}")
    return tmp_path


def load(root: Path, environ: dict[str, str]) -> dg.RepositoryDefinition:
    repository = CodeLocation(root / "runner.yaml", environ, CATALOG, CATALOG.kind).repository()
    repository.load_all_definitions()
    return repository


def names(repository: dg.RepositoryDefinition) -> tuple[list[str], list[str]]:
    assets = repository.asset_graph.get_all_asset_keys()
    schedules = [schedule.name for schedule in repository.schedule_defs]
    return sorted(key.to_user_string() for key in assets), sorted(schedules)


def commands(job: dg.JobDefinition) -> list[tuple[str, ...]]:
    return [node.definition.compute_fn.job.task.command for node in job.nodes]


def test_a_run_worker_takes_the_command_of_its_asset_from_the_index(root):
    environ = dict(os.environ)
    load(root, environ)
    for tenant in TENANTS:
        (root / "jobs" / tenant / "orders.yaml").unlink()

    for tenant in TENANTS:
        worker = CodeLocation(root / "runner.yaml", environ, CATALOG, CATALOG.kind).repository()
        job = worker.get_maybe_subset_job_def(
            tenant, asset_selection={dg.AssetKey([tenant, "orders"])}
        )
        assert commands(job) == [("echo", tenant)]


def test_a_run_worker_says_which_job_was_removed_after_its_run_was_queued(root):
    environ = dict(os.environ)
    load(root, environ)
    worker = CodeLocation(root / "runner.yaml", environ, CATALOG, CATALOG.kind).repository()

    with pytest.raises(UnknownJobError) as caught:
        worker.get_maybe_subset_job_def(
            "__ASSET_JOB", asset_selection={dg.AssetKey(["acme", "gone"])}
        )

    assert caught.value.reason == "the job of asset `acme/gone` is not in the files any more"


def test_a_run_worker_that_loads_the_whole_leaves_the_index_alone(root):
    environ = dict(os.environ)
    load(root, environ)
    index = Path(environ["ORCHESTRATE_INDEX"])
    before = index.stat().st_mtime_ns

    load(root, environ)

    assert index.stat().st_mtime_ns == before


def test_without_an_index_a_run_worker_reads_the_files(root):
    worker = CodeLocation(
        root / "runner.yaml", dict(os.environ), CATALOG, CATALOG.kind
    ).repository()

    job = worker.get_maybe_subset_job_def(
        "__ASSET_JOB", asset_selection={dg.AssetKey(["globex", "orders"])}
    )

    assert commands(job) == [("echo", "globex")]


@pytest.mark.parametrize("damage", ["runner: [", "", None])
def test_a_broken_emptied_or_deleted_runner_file_keeps_its_last_good_schedules(root, damage):
    good = names(load(root, dict(os.environ)))
    runner = root / "runner.yaml"
    runner.unlink() if damage is None else runner.write_text(damage)

    assets, schedules = names(load(root, dict(os.environ)))

    assert schedules == good[1] == list(TENANTS)
    assert assets == sorted([*good[0], "config/runner_yaml"])


def test_a_job_that_never_loaded_is_a_placeholder_and_the_others_run(root):
    (root / "jobs" / "acme" / "broken.yaml").write_text("asset: broken\ncomand: [echo]\n")

    repository = load(root, dict(os.environ))
    node = repository.asset_graph.get(dg.AssetKey(["acme", "broken"]))

    assert not node.is_executable
    assert "did you mean `command`?" in node.description
    assert repository.get_job("acme").asset_layer.selected_asset_keys == {
        dg.AssetKey(["acme", "orders"])
    }
