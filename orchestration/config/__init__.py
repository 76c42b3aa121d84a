"""From YAML files to a `Workspace`: positions kept, all problems collected, nothing raised."""

from __future__ import annotations

from orchestration.config.catalog import EMPTY_CATALOG, ConnectorCatalog
from orchestration.config.find import find_runner_file, find_state_directory
from orchestration.config.gate import ScheduleGate, schedule_enabled
from orchestration.config.last_good import LastGood
from orchestration.config.load import load_workspace
from orchestration.config.schema import render_schema

__all__ = [
    "EMPTY_CATALOG",
    "ConnectorCatalog",
    "LastGood",
    "ScheduleGate",
    "find_runner_file",
    "find_state_directory",
    "load_workspace",
    "render_schema",
    "schedule_enabled",
]
