"""The `dagster.yaml` of the embedded instance, as text. Imports no Dagster."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.defs.index import INDEX_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.domain.workspace import Settings, Workspace

MARK = "# Written by orchestrate."
_CANCEL_SLACK = timedelta(seconds=45)
"""What a run needs beside the grace period of its job to end once it is cancelled."""

_TEXT = """\
{mark} Edits are overwritten; to keep a file of your own, delete this line.

telemetry: {{enabled: false}}
nux: {{enabled: false}}

# Puts the tags of tenant and job on every run, and serves the limits of runner.yaml live.
run_coordinator:
  module: orchestration.defs.coordinator
  class: OrchestrationRunCoordinator
  config:
    index_file: {index_file}
    dequeue_interval_seconds: 1
    dequeue_use_threads: true
    dequeue_num_workers: 8
    # A run that is due while the code server or the run server is away waits for it, for a day;
    # Dagster fails it then. Each try writes a few events into the log of the run.
    max_user_code_failure_retries: 2880
    user_code_failure_retry_delay: 30

{storage}

# Forks the process of a run from one that has everything imported.
run_launcher:
  module: orchestration.defs.launcher
  class: ForkingRunLauncher
  config: {{socket: {run_server}}}

concurrency:
  pools: {{granularity: run}}

# Ends runs whose worker died, and gives their slots back.
run_monitoring:
  enabled: true
  start_timeout_seconds: 45
  # Longer than the longest grace period of a job.
  cancel_timeout_seconds: {cancel_timeout}
  poll_interval_seconds: 10
  free_slots_after_run_end_seconds: 60

# A run whose worker crashed is repeated once; failing jobs are, by their own retry_config.
run_retries:
  enabled: true
  max_retries: 1
  retry_on_asset_or_op_failure: false

# No asset has a freshness policy, and the daemon would write an event for each all the same.
freshness: {{enabled: false}}

schedules: {{use_threads: true, num_workers: 8}}
sensors: {{use_threads: true, num_workers: 4}}

retention:
  schedule:
    purge_after_days: {{skipped: 7, success: 90, failure: 90}}
  sensor:
    purge_after_days: {{skipped: 3, success: 30, failure: 90}}
"""

_POSTGRES = """\
storage:
  custom:
    module: orchestration.defs.postgres_storage
    class: PostgresStorage
    config:
      postgres_url: {{env: {variable}}}"""

_EMBEDDED = """\
# Dagster's own files, read and written faster.
storage:
  custom:
    module: orchestration.defs.embedded_storage
    class: EmbeddedStorage
    config:
      base_dir: {base_dir}"""


def find_dagster_home(state: Path, environ: Mapping[str, str]) -> Path:
    """DAGSTER_HOME where it is set, else a folder of the state directory."""
    named = environ.get("DAGSTER_HOME")
    return Path(named).expanduser().absolute() if named else state / "dagster"


def render_instance(workspace: Workspace, *, dagster_home: Path, run_server: Path) -> str:
    """The text of `dagster.yaml` in `dagster_home`. Runs and events lie beside it, in SQLite, unless
    the settings name a PostgreSQL database; logs always do. `run_server` is the socket that the run
    server listens on.
    """
    settings = workspace.settings
    return _TEXT.format(
        mark=MARK,
        index_file=json.dumps(str(settings.state_directory / INDEX_NAME)),
        run_server=json.dumps(str(run_server)),
        storage=_storage(settings, dagster_home),
        cancel_timeout=round(cancel_timeout(workspace).total_seconds()),
    )


def cancel_timeout(workspace: Workspace) -> timedelta:
    """How long a run that is cancelled has to end by itself: longer than any grace period."""
    longest = max((job.grace_period for job in workspace.jobs), default=timedelta(0))
    return longest + _CANCEL_SLACK


def is_generated(text: str) -> bool:
    """Whether the text of a `dagster.yaml` is ours to overwrite."""
    return text.startswith(MARK)


def _storage(settings: Settings, dagster_home: Path) -> str:
    if settings.postgres_url is None:
        return _EMBEDDED.format(base_dir=json.dumps(str(dagster_home)))
    return _POSTGRES.format(variable=json.dumps(settings.postgres_url))
