"""The whole product at work: `orchestrate dev` with its UI, daemon, code server and run workers.

Three tenants with five jobs each. Every job writes down who it is and in which run, so that each
test can tell which command ran for whom, and how it came about.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.xdist_group("system")

ORCHESTRATE = Path(sys.executable).with_name("orchestrate")
TENANTS = ("acme", "globex", "initech")
IDS = sorted(f"{tenant}/job_{n}" for tenant in TENANTS for n in range(5))

RECORD = """\
import os, sys
with open(sys.argv[1], "a") as file:
    file.write(f"{sys.argv[2]} {os.environ['ORCHESTRATE_JOB']} {os.environ['ORCHESTRATE_RUN_ID']}\\n")
"""
STUBBORN = """\
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) < 3:
    subprocess.Popen([sys.executable, __file__, sys.argv[1], "child"], start_new_session=True)
with open(sys.argv[1], "a") as file:
    file.write(f"{os.getpid()}\\n")
time.sleep(600)
"""
LAUNCH = """
mutation($selector: JobOrPipelineSelector!) {
  launchRun(executionParams: {selector: $selector, runConfigData: {}}) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message stack }
  }
}"""
SCHEDULED = """
query {
  runsOrError(filter: {tags: [{key: "tick", value: "scheduled"}]}) {
    ... on Runs { results { runId } }
  }
}"""
RUN = """
query($runId: ID!) {
  runOrError(runId: $runId) {
    ... on Run { status assetSelection { path } tags { key value } }
  }
}"""
TERMINATE = """
mutation($runId: String!) {
  terminateRun(runId: $runId) { __typename }
}"""


def wait_for(look: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """What `look` returns once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come within {seconds} s")
        time.sleep(0.2)
    return found


@dataclass(frozen=True)
class System:
    """A running `orchestrate dev`."""

    root: Path
    url: str
    process: subprocess.Popen

    @property
    def record(self) -> Path:
        return self.root / "record"

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.url}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def materialize(self, asset: str) -> str:
        """Launch a run as the button of the UI does; its id."""
        selector = {
            "repositoryLocationName": "orchestration",
            "repositoryName": "__repository__",
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": asset.split("/")}],
        }
        launched = self.ask(LAUNCH, selector=selector)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

    def run(self, run_id: str) -> dict[str, Any]:
        return self.ask(RUN, runId=run_id)["runOrError"]

    def tags(self, run_id: str) -> dict[str, str]:
        return {tag["key"]: tag["value"] for tag in self.run(run_id).get("tags", ())}

    def ran(self) -> list[list[str]]:
        """What the jobs wrote: the name in its command, the job it was told to be, the run."""
        text = self.record.read_text() if self.record.exists() else ""
        return [line.split() for line in text.splitlines()]

    def scheduled(self) -> list[list[str]]:
        """The same of the runs that a schedule launched."""
        answer = self.ask(SCHEDULED)["runsOrError"]["results"]
        launched = {run["runId"] for run in answer}
        return [line for line in self.ran() if line[2] in launched]

    def start_stubborn(self) -> tuple[str, list[psutil.Process]]:
        """A run of a job that ignores SIGTERM and has a child in a session of its own."""
        pids = self.root / "pids"
        pids.unlink(missing_ok=True)
        run_id = self.materialize("acme/stubborn")
        wait_for(
            lambda: pids.exists() and len(pids.read_text().splitlines()) == 2,
            seconds=60,
            what="the job and its child",
        )
        return run_id, [psutil.Process(int(pid)) for pid in pids.read_text().split()]


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def belonging_to(root: Path) -> list[psutil.Process]:
    """Every process whose environment says that it works for the workspace in `root`."""
    found = []
    for process in psutil.process_iter():
        try:
            runner = process.environ().get("ORCHESTRATE_RUNNER", "")
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        if runner == str(root / "runner.yaml"):
            found.append(process)
    return found


def write_workspace(root: Path) -> None:
    """Each job is due once, two minutes from now at the latest."""
    tick = datetime.now(UTC) + timedelta(seconds=110)
    (root / "record.py").write_text(RECORD)
    (root / "stubborn.py").write_text(STUBBORN)
    schedules = []
    for job_id in IDS:
        file = root / "jobs" / f"{job_id}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "record.py", str(root / "record"), job_id]
        file.write_text(f"asset: {file.stem}\ncommand: {json.dumps(argv)}\n")
        schedules.append(
            f"      - name: tick_{job_id.replace('/', '_')}\n"
            f"        config: jobs/{job_id}.yaml\n"
            f"        tags: {{tick: scheduled}}\n"
            f"        cron: '{tick.minute} {tick.hour} * * *'\n"
        )
    argv = json.dumps([sys.executable, "stubborn.py", str(root / "pids")])
    (root / "jobs" / "acme" / "stubborn.yaml").write_text(
        f"asset: stubborn\ngrace_period: 1s\ncommand: {argv}\n"
    )
    tenants = "".join(f"    {tenant}: {{concurrency: 5}}\n" for tenant in TENANTS)
    (root / "runner.yaml").write_text(
        f"runner:\n  tenants:\n{tenants}  orchestrator:\n    schedules:\n{''.join(schedules)}"
    )


@pytest.fixture(scope="module")
def system(tmp_path_factory) -> Iterator[System]:
    root = tmp_path_factory.mktemp("system")
    write_workspace(root)
    environ = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    output = root / "output"
    with output.open("w") as file:
        process = subprocess.Popen(
            [ORCHESTRATE, "dev", "--port", "0"], cwd=root, stdout=file, stderr=file, env=environ
        )
    try:
        url = wait_for(
            lambda: [w for w in output.read_text().split() if w.startswith("http://")],
            seconds=90,
            what="the address of the UI",
        )[0]
        system = System(root=root, url=url, process=process)
        yield system
        _, processes = system.start_stubborn()
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=15)
    # Stopped in the middle of a stubborn job, it leaves nothing behind.
    assert code == 0, output.read_text()
    assert gone(processes)
    assert belonging_to(root) == []


def test_a_tick_runs_for_each_tenant_its_own_commands(system):
    wait_for(
        lambda: {named for named, _, _ in system.scheduled()} == set(IDS),
        seconds=240,
        what="a run of each job",
    )

    for named, told, run_id in system.scheduled():
        run = system.run(run_id)
        tags = system.tags(run_id)
        assert named == told
        assert tags["dagster/schedule_name"] == f"tick_{named.replace('/', '_')}"
        assert ["/".join(key["path"]) for key in run["assetSelection"]] == [named]
        assert f"{tags['tenant']}/{tags['job_name']}" == named


def test_the_button_of_the_ui_runs_for_each_tenant_its_own_commands(system):
    runs = {system.materialize(job_id): job_id for job_id in IDS}

    def ran_by_hand():
        found = {run_id: named for named, _, run_id in system.ran() if run_id in runs}
        return found if len(found) == len(runs) else None

    assert wait_for(ran_by_hand, seconds=120, what="the runs by hand") == runs
    for run_id, job_id in runs.items():
        tags = system.tags(run_id)
        assert f"{tags['tenant']}/{tags['job_name']}" == job_id


def test_the_command_line_runs_for_each_tenant_its_own_commands(system):
    before = len(system.ran())

    for job_id in IDS:
        subprocess.run(
            [ORCHESTRATE, "run", job_id], cwd=system.root, check=True, capture_output=True
        )

    by_hand = [line for line in system.ran()[before:] if system.run(line[2]) == {}]
    assert sorted(named for named, _, _ in by_hand) == IDS
    assert all(named == told for named, told, _ in by_hand)


def test_cancelling_a_run_ends_its_whole_process_tree(system):
    run_id, processes = system.start_stubborn()

    system.ask(TERMINATE, runId=run_id)

    wait_for(lambda: gone(processes), seconds=10, what="the end of the process tree")
    wait_for(
        lambda: system.run(run_id)["status"] == "CANCELED", seconds=20, what="the cancelled run"
    )


def test_a_killed_run_worker_leaves_no_process_and_the_run_is_repeated_once(system):
    run_id, processes = system.start_stubborn()
    guard = processes[0].parent()

    guard.parent().kill()

    wait_for(lambda: gone([guard, *processes]), seconds=10, what="the end of the process tree")
    wait_for(lambda: system.run(run_id)["status"] == "FAILURE", seconds=60, what="the failed run")
    again = wait_for(
        lambda: system.tags(run_id).get("dagster/auto_retry_run_id"), seconds=30, what="its repeat"
    )
    wait_for(lambda: system.run(again)["status"] == "STARTED", seconds=60, what="its start")
    system.ask(TERMINATE, runId=again)
    wait_for(lambda: system.run(again)["status"] == "CANCELED", seconds=60, what="its end")
    tags = system.tags(again)
    assert tags["job_name"] == "stubborn"
    traces = [found["orchestration/traceparent"] for found in (tags, system.tags(run_id))]
    assert len({traceparent.split("-")[1] for traceparent in traces}) == 1
    assert "dagster/will_retry" not in tags
