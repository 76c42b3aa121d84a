"""What the number of loaded jobs adds to the start of a run's process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from timing import Section, environ, seconds, time_processes
from workspace import job_name, write_workspace

HERE = Path(__file__).parent
SIZES = (10, 5_000)


def measure() -> Section:
    with TemporaryDirectory() as name:
        commands = {f"{jobs:,}": _prepare(Path(name) / str(jobs), jobs) for jobs in SIZES}
        medians = time_processes(commands, folder=Path(name), runs=11, env=environ())
    least = min(medians.values())
    return Section(
        title="The process of a run",
        note=(
            "Dagster loads the code location again in the process of each run. This is a whole "
            "process that imports what such a process imports and gets the job of one asset, after "
            "a code server has loaded the workspace. In turn, median of 11."
        ),
        header=("jobs loaded", "time", "more than the least"),
        rows=[(jobs, seconds(value), seconds(value - least)) for jobs, value in medians.items()],
    )


def _prepare(folder: Path, jobs: int) -> tuple[str, ...]:
    """Lets a code server load `jobs` jobs, and returns the command that loads one of them."""
    runner = write_workspace(folder, jobs)
    load = [sys.executable, str(HERE / "load_location.py"), "orchestration.definitions"]
    env = environ(ORCHESTRATE_RUNNER=str(runner))
    subprocess.run(load, env=env, check=True, capture_output=True)
    index = folder / ".orchestrate/index.json"
    assert index.exists()
    return (
        "env",
        f"ORCHESTRATE_RUNNER={runner}",
        f"ORCHESTRATE_INDEX={index}",
        sys.executable,
        str(HERE / "load_job.py"),
        *job_name(jobs // 2),
    )
