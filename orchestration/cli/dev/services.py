"""What `dev` and `up` start: the processes of Dagster, and the helpers of the workspace."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

LOCATION_NAME = "orchestration"
_PYTHON = (sys.executable, "-P", "-m")
"""`-P` keeps files of the workspace from standing in for installed modules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A process to keep running; `name` is what people read, and the name of its log file.

    Without a vital one there is no `dev`; when another one ends, the user is told.
    """

    name: str
    argv: tuple[str, ...]
    working_directory: Path
    vital: bool = True


def code_server(*, root: Path, socket: Path) -> Service:
    """Dagster's code server for this workspace, which loads the files anew when it is told to."""
    return Service(
        name="code-server",
        argv=(
            *_PYTHON,
            *("dagster", "code-server", "start"),
            *("--module-name", "orchestration.definitions"),
            *("--working-directory", str(root)),
            *("--location-name", LOCATION_NAME),
            *("--socket", str(socket)),
            *("--log-level", "warning"),
        ),
        working_directory=root,
    )


def webserver(
    *, root: Path, workspace_file: Path, host: str, port: int, read_only: bool
) -> Service:
    """Dagster's UI; a `read_only` one refuses everything that changes something."""
    return Service(
        name="webserver",
        argv=(
            *_PYTHON,
            *("dagster_webserver", "--workspace", str(workspace_file)),
            *("--host", host, "--port", str(port)),
            *(("--read-only",) if read_only else ()),
        ),
        working_directory=root,
    )


def daemon(*, root: Path, workspace_file: Path) -> Service:
    """Dagster's daemon: schedules, sensors, the run queue and monitoring."""
    return Service(
        name="daemon",
        argv=(*_PYTHON, "dagster._daemon", "run", "--workspace", str(workspace_file)),
        working_directory=root,
    )


def run_server(*, root: Path, socket: Path, index_file: Path) -> Service:
    """The process that forks those of the runs, from what it has imported once."""
    return Service(
        name="run-server",
        argv=(
            *_PYTHON,
            *("orchestration.defs.run_server", "--socket", str(socket)),
            *("--index", str(index_file)),
        ),
        working_directory=root,
    )


def cancel_runs(*, root: Path, patience: timedelta) -> Service:
    """Cancels every run under way, and ends when they have, or when `patience` is over."""
    seconds = str(round(patience.total_seconds()))
    return Service(
        name="cancel",
        argv=(*_PYTHON, "orchestration.defs.cancel_runs", "--patience-seconds", seconds),
        working_directory=root,
    )


def render_workspace_file(socket: Path) -> str:
    """The text of the `workspace.yaml` through which UI and daemon share one code server."""
    server = {"socket": str(socket), "location_name": LOCATION_NAME}
    return f"{json.dumps({'load_from': [{'grpc_server': server}]}, indent=2)}\n"
