"""Loading a code location: jobs in YAML against the same jobs written by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from timing import Section, environ, seconds, times
from workspace import write_workspace

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).parent
OURS, PEER = "orchestration.definitions", "hand_written"
TURNS = {1_000: 5 * [OURS, PEER], 5_000: [OURS, PEER, OURS, OURS]}


def measure() -> Section:
    rows: list[tuple[str, ...]] = []
    for jobs, turns in TURNS.items():
        results = [(module, _load(module, jobs)) for module in turns]
        ours, peer = (
            _median(result for m, result in results if m == side) for side in (OURS, PEER)
        )
        rows += [_row(jobs, "YAML", ours, peer), _row(jobs, "by hand", peer, peer)]
    return Section(
        title="Load a code location",
        note=(
            "What Dagster's code server does at start and at each reload: load the definitions, "
            "resolve every job, serialise the snapshot for web server and daemon. `YAML` reads one "
            "file a job; `by hand` has no file to read: one asset, one `define_asset_job` and one "
            "`ScheduleDefinition` each. The time to import dagster, which both pay, is left out. "
            "In turn; median of 5 (1,000) and of 3 (5,000; by hand once)."
        ),
        header=(
            "scheduled jobs",
            "",
            "time",
            "load",
            "snapshot",
            "CPU time",
            "peak memory",
            "times by hand",
        ),
        rows=rows,
    )


def _row(jobs: int, side: str, result: dict[str, float], peer: dict[str, float]) -> tuple[str, ...]:
    return (
        f"{jobs:,}",
        side,
        seconds(result["seconds"]),
        seconds(result["load_seconds"]),
        seconds(result["snapshot_seconds"]),
        seconds(result["cpu_seconds"]),
        f"{result['peak_megabytes']:.0f} MB",
        times(result["seconds"], peer["seconds"]),
    )


def _median(results: Iterable[dict[str, float]]) -> dict[str, float]:
    rows = list(results)
    return {key: median(row[key] for row in rows) for key in rows[0]}


def _load(module: str, jobs: int) -> dict[str, float]:
    with TemporaryDirectory() as folder:
        runner = write_workspace(Path(folder), jobs)
        done = subprocess.run(
            [sys.executable, HERE / "load_location.py", module],
            env=environ(
                PYTHONPATH=str(HERE), BENCHMARK_JOBS=str(jobs), ORCHESTRATE_RUNNER=str(runner)
            ),
            stdout=subprocess.PIPE,
            check=True,
        )
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["assets"], result["schedules"]) == (jobs, jobs), result
    return result
