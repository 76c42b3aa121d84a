"""Keeps dlt in its place: one folder, our settings, no telemetry, no logs, no home directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlt.common.configuration.container import Container
from dlt.common.configuration.providers.dictionary import DictionaryProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.runtime.run_context import RunContext

if TYPE_CHECKING:
    from pathlib import Path

    from dlt.common.configuration.providers.provider import ConfigProvider

# dlt says nothing and calls nobody: errors come to us as exceptions, and we report them.
_SETTINGS = {
    "runtime": {
        "dlthub_telemetry": False,
        "log_level": "CRITICAL",
        "intercept_signals": False,
        "http_show_error_body": False,
    },
    "enable_runtime_trace": False,
    "normalize": {
        "workers": 1,
        "json_normalizer": {"add_dlt_id": False, "add_dlt_load_id": True},
        "parquet_normalizer": {"add_dlt_id": False, "add_dlt_load_id": True},
    },
    "load": {"workers": 1, "delete_completed_jobs": True, "raise_on_max_retries": 1},
}


def confine(scratch: Path) -> None:
    """Lets dlt work in `scratch` alone: no settings from files, the environment or the home."""
    Container()[PluggableRunContext] = PluggableRunContext(_Context(str(scratch)))


class _Context(RunContext):
    def __init__(self, run_dir: str | None) -> None:
        super().__init__(run_dir)
        self._global_dir = self._folder = run_dir or "."

    @property
    def run_dir(self) -> str:
        return self._folder

    @property
    def local_dir(self) -> str:
        return self._folder

    @property
    def data_dir(self) -> str:
        return self._folder

    @property
    def module(self) -> None:
        return None

    def initial_providers(self) -> list[ConfigProvider]:
        return [_Settings()]


class _Settings(DictionaryProvider):
    def __init__(self) -> None:
        super().__init__()
        self._config_doc = _SETTINGS
