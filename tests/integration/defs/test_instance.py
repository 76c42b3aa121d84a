from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from dagster import DagsterInstance
from dagster._config import process_config, resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config_schema

from orchestration.defs.coordinator import OrchestrationRunCoordinator
from orchestration.defs.embedded_storage import RunStorage
from orchestration.defs.instance import render_instance
from orchestration.defs.launcher import ForkingRunLauncher
from orchestration.domain.workspace import Settings, Workspace

RUN_SERVER = Path("/run/orchestrate/run-server.sock")


@pytest.fixture
def workspace(tmp_path):
    return Workspace(
        root=tmp_path,
        runner_file=tmp_path / "runner.yaml",
        settings=Settings(state_directory=tmp_path),
    )


def test_dagster_accepts_the_file_and_uses_our_parts(tmp_path, workspace):
    (tmp_path / "dagster.yaml").write_text(
        render_instance(workspace, dagster_home=tmp_path, run_server=RUN_SERVER)
    )

    with DagsterInstance.from_config(str(tmp_path)) as instance:
        assert isinstance(instance.run_launcher, ForkingRunLauncher)
        assert isinstance(instance.run_storage, RunStorage)
        assert isinstance(instance.run_coordinator, OrchestrationRunCoordinator)
        assert instance.run_coordinator.dequeue_num_workers == 8
        assert instance.run_monitoring_enabled
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled


@pytest.mark.parametrize("variable", [None, "DATABASE_URL"])
def test_the_file_is_valid_by_dagsters_own_schema(workspace, variable, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost/dagster")
    settings = replace(workspace.settings, postgres_url=variable)
    text = render_instance(
        replace(workspace, settings=settings), dagster_home=workspace.root, run_server=RUN_SERVER
    )
    schema = resolve_to_config_type(dagster_instance_config_schema())
    result = process_config(schema, yaml.safe_load(text))
    assert result.success, result.errors
