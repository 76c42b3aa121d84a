"""Where dlt may look and write: in its folder, and nowhere else."""

from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from orchestration.connectors.dlt_context import confine


def test_dlt_is_confined_to_its_folder(tmp_path):
    confine(tmp_path)
    context = Container()[PluggableRunContext].context
    folders = {context.run_dir, context.local_dir, context.data_dir, context.global_dir}
    assert folders == {str(tmp_path)}
    assert context.module is None


def test_dlt_calls_nobody_and_listens_to_no_file_variable_or_signal(tmp_path):
    confine(tmp_path)
    plugged = Container()[PluggableRunContext]
    runtime = plugged.context.runtime_config
    assert (runtime.dlthub_telemetry, runtime.sentry_dsn, runtime.log_level) == (
        False,
        None,
        "CRITICAL",
    )
    assert [provider.name for provider in plugged.context.initial_providers()] == [
        "Dictionary Provider"
    ]


def test_settings_in_the_environment_change_nothing(workspace):
    workspace.write("data.csv", "id\n1\n")
    process = workspace.start(
        "csv",
        {"path": "data.csv"},
        environ={
            "RUNTIME__LOG_LEVEL": "DEBUG",
            "DESTINATION__DUCKDB__CREDENTIALS": str(workspace.root / "elsewhere.duckdb"),
            "DATASET_NAME": "elsewhere",
            "LOAD__WORKERS": "20",
            "NORMALIZE__LOADER_FILE_FORMAT": "jsonl",
            "DLT_DATA_DIR": str(workspace.root / "elsewhere"),
        },
    )
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")
    assert workspace.files() == ["data.csv", "warehouse/acme.duckdb"]
    assert workspace.query("SELECT id FROM things") == [(1,)]
