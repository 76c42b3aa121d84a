"""Whatever the files hold, Dagster can load what came of them."""

import dagster as dg

from orchestration.connectors.registry import CATALOG
from orchestration.defs.location import CodeLocation


def test_a_job_with_the_key_of_the_runner_files_own_faults_does_not_cost_the_code_location(
    tmp_path,
):
    (tmp_path / "runner.yaml").write_text("runner: {nope: 1}\n")
    for tenant in ("acme", "config", "globex"):
        job = tmp_path / "jobs" / tenant / "runner_yaml.yaml"
        job.parent.mkdir(parents=True)
        job.write_text(f"command: [echo, {tenant}]\n")

    repository = CodeLocation(tmp_path / "runner.yaml", {}, CATALOG, CATALOG.kind).repository()
    repository.load_all_definitions()

    graph = repository.asset_graph
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == {
        "acme/runner_yaml",
        "config/runner_yaml",
        "config/runner_yaml__2",
        "globex/runner_yaml",
    }
    assert "unknown key `nope`" in graph.get(dg.AssetKey(["config", "runner_yaml"])).description
