"""From a launch in the UI to the first line of the connector, with few and with many jobs loaded."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import psutil
from timing import Section, environ, seconds
from workspace import job_name, write_workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

LAUNCHES = 9
SIZES = (10, 5_000)
YEARLY = "0 0 1 1 *"
STAMP = ("sh", "-c", 'date +%s.%N > "stamp-$ORCHESTRATE_RUN_ID"')
BY_HAND = """
import os, subprocess
import dagster as dg

def build(tenant, name):
    @dg.asset(key=[tenant, name], group_name=tenant)
    def asset(context):
        env = os.environ | {{"ORCHESTRATE_RUN_ID": context.run_id}}
        subprocess.run({stamp!r}, check=True, env=env)

    return asset

defs = dg.Definitions(assets=[build(*name) for name in {names!r}])
"""
LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
  }
}"""
EVENTS = """
query ($run: ID!) {
  runOrError(runId: $run) {
    ... on Run { status eventConnection { events { ... on MessageEvent { eventType timestamp } } } }
  }
}"""
LOCATION = """
{ repositoriesOrError {
    ... on RepositoryConnection { nodes { name location { name } } } } }"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Seconds of one launch: until the connector's first line, from the mutation (`total`) and from
    the start of the run's work process (`worker`).
    """

    total: float
    worker: float


def measure() -> Section:
    rows: list[tuple[str, ...]] = []
    for jobs in SIZES:
        launches = _measure_launches(jobs)
        total = median(launch.total for launch in launches)
        worker = median(launch.worker for launch in launches)
        rows.append((f"{jobs:,}", seconds(total), seconds(worker)))
    by_hand = _measure_by_hand(SIZES[0])
    rows.append(
        (
            f"{SIZES[0]} by hand, `dagster dev`",
            seconds(median(launch.total for launch in by_hand)),
            seconds(median(launch.worker for launch in by_hand)),
        )
    )
    return Section(
        title="Start a run",
        note=(
            "`orchestrate dev` with its web server, daemon, code server and embedded storage. A run "
            "is launched through GraphQL as the UI's Materialize does; its command stamps the time "
            "as its first act. `work process` counts from the moment when the code server is told "
            "to start the process of the run, and so leaves the queue out. Once the processes are "
            f"calm after their start, one launch after the other, median of {LAUNCHES}. Beside it "
            "the same assets in plain Dagster with its defaults."
        ),
        header=("jobs loaded", "launch to first line", "work process to first line"),
        rows=rows,
    )


def _measure_launches(jobs: int) -> list[Launch]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_workspace(folder, jobs, command=STAMP, cron=YEARLY)
        return _launch_all(folder, jobs, "orchestrate", "dev")


def _measure_by_hand(jobs: int) -> list[Launch]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        names = [job_name(index) for index in range(jobs)]
        (folder / "definitions.py").write_text(BY_HAND.format(stamp=STAMP, names=names))
        return _launch_all(folder, jobs, "dagster", "dev", "-f", "definitions.py")


def _launch_all(folder: Path, jobs: int, *command: str) -> list[Launch]:
    with _dev(folder, *command) as (ask, process):
        location = _wait_for(lambda: _find_location(ask), 180)
        _wait_for(lambda: _is_calm(process), 600)
        _launch(ask, folder, location, 0)
        return [_launch(ask, folder, location, 1 + index % (jobs - 1)) for index in range(LAUNCHES)]


@contextmanager
def _dev(
    folder: Path, program: str, *arguments: str
) -> Generator[tuple[Callable[..., dict[str, Any]], psutil.Process]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (folder / "dev.log").open("w")
    (folder / "home").mkdir()
    process = subprocess.Popen(
        [Path(sys.executable).parent / program, *arguments, "--port", str(port)],
        cwd=folder,
        env=environ(DAGSTER_HOME=str(folder / "home"), DAGSTER_DISABLE_TELEMETRY="1"),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield lambda query, **variables: _ask(port, query, variables), psutil.Process(process.pid)
    except BaseException:
        print((folder / "dev.log").read_text(), file=sys.stderr)
        raise
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=30)
        log.close()


def _is_calm(process: psutil.Process) -> bool | None:
    """True if the tree of processes took under a tenth of a core for ten seconds, else None.

    At its first start with many schedules, Dagster's daemon is busy for minutes: it stores a row
    for each of them.
    """
    before = _cpu_seconds(process)
    time.sleep(10)
    return True if _cpu_seconds(process) - before < 1 else None


def _cpu_seconds(process: psutil.Process) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in process.children(recursive=True))


def _ask(port: int, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        json.dumps({"query": query, "variables": variables}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


def _find_location(ask: Callable[..., dict[str, Any]]) -> tuple[str, str] | None:
    try:
        nodes = ask(LOCATION)["repositoriesOrError"].get("nodes", [])
    except (urllib.error.URLError, OSError):
        return None
    return next(((node["location"]["name"], node["name"]) for node in nodes), None)


def _launch(
    ask: Callable[..., dict[str, Any]], folder: Path, location: tuple[str, str], index: int
) -> Launch:
    params = {
        "selector": {
            "repositoryLocationName": location[0],
            "repositoryName": location[1],
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": list(job_name(index))}],
        },
        "mode": "default",
    }
    start = time.time()
    run_id = ask(LAUNCH, params=params)["launchRun"]["run"]["runId"]
    events = _wait_for(lambda: _finished_events(ask, run_id), 60)
    stamp = float((folder / f"stamp-{run_id}").read_text())
    return Launch(total=stamp - start, worker=stamp - events["RUN_STARTING"])


def _finished_events(ask: Callable[..., dict[str, Any]], run_id: str) -> dict[str, float] | None:
    run = ask(EVENTS, run=run_id)["runOrError"]
    if run["status"] not in ("SUCCESS", "FAILURE", "CANCELED"):
        return None
    assert run["status"] == "SUCCESS", run
    events = run["eventConnection"]["events"]
    return {event["eventType"]: float(event["timestamp"]) / 1000 for event in events if event}


def _wait_for(question: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while (answer := question()) is None:
        assert time.monotonic() < deadline, "the benchmark waited in vain"
        time.sleep(0.25)
    return answer
