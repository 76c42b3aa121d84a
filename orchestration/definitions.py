"""The code location that Dagster loads: `python_module: orchestration.definitions`.

Importing it reads nothing. The workspace is the `runner.yaml` that `ORCHESTRATE_RUNNER` names,
else the one in the working directory.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dagster.components.definitions import lazy_repository

from orchestration.config import find_runner_file
from orchestration.connectors.registry import CATALOG
from orchestration.defs.location import CodeLocation

if TYPE_CHECKING:
    from orchestration.defs.repository import WorkspaceRepository


@lazy_repository
def defs() -> WorkspaceRepository:
    """The code location of the current process."""
    return CodeLocation(_runner_file(), os.environ, CATALOG, CATALOG.kind).repository()


def _runner_file() -> Path:
    """The file, also while it is missing if it is named: its last good version serves then."""
    named = os.environ.get("ORCHESTRATE_RUNNER")
    if named and not Path(named).is_dir():
        return Path(named).absolute()
    return find_runner_file(None, os.environ, Path.cwd())
