"""A workspace in a folder, its instance, and its jobs run in it by real processes of theirs."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.config import EMPTY_CATALOG, ConnectorCatalog, load_workspace
from orchestration.defs.assemble import build_definitions
from orchestration.domain.workspace import Workspace

INSTANCE = """\
storage:
  custom:
    module: orchestration.defs.embedded_storage
    class: EmbeddedStorage
    config: {{base_dir: {home}}}
run_retries: {{enabled: true, max_retries: 1, retry_on_asset_or_op_failure: false}}
telemetry: {{enabled: false}}
"""
MET = {
    dg.DagsterEventType.STEP_FAILURE: "failed",
    dg.DagsterEventType.STEP_SUCCESS: "succeeded",
    dg.DagsterEventType.STEP_UP_FOR_RETRY: "again",
}


@dataclass
class Runs:
    """The jobs of a workspace as Dagster runs them, in this process."""

    root: Path
    is_open: bool = False
    catalog: ConnectorCatalog = EMPTY_CATALOG
    environ: Mapping[str, str] = field(default_factory=lambda: {"PATH": os.environ["PATH"]})

    def open(self, home: Path | None = None) -> None:
        """Open the instance in that folder, by default the one that `orchestrate up` has made."""
        self.instance = dg.DagsterInstance.from_config(
            str(home or self.root / ".orchestrate" / "dagster")
        )
        self.is_open = True

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def write_job(self, job_id: str, script: str, **fields: Any) -> None:
        """A job whose shell script first writes its name, run and attempt into `said`."""
        tenant, _, name = job_id.partition("/")
        told = "$ORCHESTRATE_TENANT $ORCHESTRATE_RUN_ID $ORCHESTRATE_ATTEMPT"
        command = ["sh", "-c", f'echo "{job_id} {told}" >> said\n{script}']
        self.write(f"jobs/{tenant}/{name}.yaml", json.dumps({"command": command, **fields}))

    @property
    def said(self) -> list[tuple[str, str, str, int]]:
        """The job that the command names, the tenant that it was told, run and attempt."""
        lines = (self.root / "said").read_text().splitlines()
        return [(job, tenant, run, int(n)) for job, tenant, run, n in map(str.split, lines)]

    @cached_property
    def workspace(self) -> Workspace:
        return load_workspace(self.root / "runner.yaml", environ=self.environ, catalog=self.catalog)

    @cached_property
    def definitions(self) -> dg.Definitions:
        space = self.workspace
        assert [str(problem) for problem in space.problems if problem.is_error] == []
        return build_definitions(
            space, gate=lambda _: True, reload=lambda: space, kind_of=lambda _, name: name
        )

    def run(self, *jobs: str, tags: Mapping[str, str] | None = None) -> str:
        """The id of a run of these jobs; of all, if there are none."""
        selection = [dg.AssetKey(job.split("/")) for job in jobs]
        job = self.definitions.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            asset_selection=selection or None,
            tags=tags,
        )
        return result.run_id

    def look(self) -> Any:
        """What the sensor makes of it now."""
        sensor = self.definitions.get_repository_def().get_sensor_def("retries")
        return sensor.evaluate_tick(dg.build_sensor_context(instance=self.instance))

    def launch(self, requests: Iterable[dg.RunRequest]) -> list[str]:
        """The ids of the runs that were asked for, in order, as the daemon makes them."""
        return [
            self.run(
                *(key.to_user_string() for key in request.asset_selection),
                tags={
                    **request.tags,
                    "dagster/run_key": request.run_key,
                    "dagster/sensor_name": "retries",
                },
            )
            for request in requests
        ]

    def bring_forward(self, *run_ids: str) -> None:
        """Let the retries of these runs be due, in this order."""
        for minute, run_id in enumerate(run_ids):
            due = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
            self.instance.add_run_tags(run_id, {"orchestration/retry_at": due.isoformat()})

    def tags(self, run_id: str) -> Mapping[str, str]:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.tags

    def records(self, run_id: str) -> dict[str, list[dict[str, Any]]]:
        """What the run has told of its attempts, by job."""
        found: dict[str, list[dict[str, Any]]] = {}
        for entry in self.instance.all_logs(run_id):
            if entry.user_message.startswith("{"):
                record = json.loads(entry.user_message)
                if record["event_type"] in ("retry_attempt", "job_finished"):
                    found.setdefault(record["job"], []).append(record)
        return found

    def steps(self, run_id: str) -> list[str]:
        """How the attempts of the run ended, in order."""
        events = [entry.dagster_event_type for entry in self.instance.all_logs(run_id)]
        return [MET[event] for event in events if event in MET]

    def failure(self, run_id: str) -> dict[str, Any]:
        """The metadata of the one failure of the run, and its description."""
        [entry] = self.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        found = entry.dagster_event.step_failure_data.user_failure_data
        values = {name: value.value for name, value in found.metadata.items()}
        return {**values, "description": found.description}


class Maker:
    """Makes workspaces that share nothing."""

    def __init__(self, make_folder: Callable[[], Path]) -> None:
        self._make_folder = make_folder
        self._made: list[Runs] = []

    def __call__(self, runner: str = "runner: {}\n") -> Runs:
        """One with an instance."""
        runs = self.bare(runner)
        home = runs.root / "home"
        home.mkdir()
        (home / "dagster.yaml").write_text(INSTANCE.format(home=home))
        runs.open(home)
        return runs

    def bare(self, runner: str) -> Runs:
        """One that is still without; `orchestrate up` makes one."""
        runs = Runs(root=self._make_folder())
        self._made.append(runs)
        runs.write("runner.yaml", runner)
        return runs

    def close(self) -> None:
        for runs in self._made:
            if runs.is_open:
                runs.instance.dispose()


@pytest.fixture(scope="module")
def make_runs(tmp_path_factory) -> Iterator[Maker]:
    maker = Maker(lambda: tmp_path_factory.mktemp("etl"))
    yield maker
    maker.close()
