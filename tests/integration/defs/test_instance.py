from dagster import DagsterInstance

from orchestration.defs.coordinator import OrchestrationRunCoordinator
from orchestration.defs.instance import render_instance


def test_dagster_accepts_the_file_and_uses_our_coordinator(tmp_path):
    (tmp_path / "dagster.yaml").write_text(render_instance(tmp_path))

    with DagsterInstance.from_config(str(tmp_path)) as instance:
        assert isinstance(instance.run_coordinator, OrchestrationRunCoordinator)
        assert instance.run_monitoring_enabled
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
