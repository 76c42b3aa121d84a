"""The component in a `dg` project, loaded by Dagster itself in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

TENANTS = ("acme", "globex", "initech")
LOAD = """
import json
from pathlib import Path

import dagster as dg

repository = dg.load_from_defs_folder(path_within_project=Path.cwd()).get_repository_def()
print(json.dumps({
    "assets": sorted(key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()),
    "jobs": sorted(repository.job_names),
    "schedules": [schedule.name for schedule in repository.schedule_defs],
    "sensors": {s.name: [t.job_name for t in s.targets] for s in repository.sensor_defs},
}))
"""


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_component_brings_the_assets_jobs_and_schedules_of_its_workspace(tmp_path):
    for tenant in TENANTS:
        job = tmp_path / "ingestion" / "jobs" / tenant / "orders.yaml"
        write(job, f"asset: orders\ncommand: [echo, {tenant}]\n")
    write(
        tmp_path / "ingestion" / "runner.yaml",
        "runner:\n  orchestrator:\n    schedules:\n"
        "      - {name: acme_orders, config: jobs/acme/orders.yaml, cron: '0 6 * * *'}\n",
    )
    project = tmp_path / "project"
    write(
        project / "pyproject.toml",
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "shop"\n',
    )
    write(project / "shop" / "__init__.py")
    write(project / "shop" / "defs" / "__init__.py")
    write(
        project / "shop" / "defs" / "ingestion" / "defs.yaml",
        "type: orchestration.component.OrchestrationComponent\n"
        "attributes:\n  runner: ../../../../ingestion/runner.yaml\n",
    )

    loaded = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=project, capture_output=True, text=True, check=False
    )

    assert loaded.returncode == 0, loaded.stderr
    assert json.loads(loaded.stdout) == {
        "assets": [f"{tenant}/orders" for tenant in TENANTS],
        "jobs": ["__ASSET_JOB", *TENANTS],
        "schedules": ["acme_orders"],
        "sensors": {"retries": list(TENANTS)},
    }
