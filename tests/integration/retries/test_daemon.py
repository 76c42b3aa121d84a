"""Retries under a running `orchestrate up`: what happens once, and the tests judge what is left."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

pytestmark = pytest.mark.xdist_group("system")

ORCHESTRATE = Path(sys.executable).with_name("orchestrate")
TENANTS = ("acme", "globex", "initech")
RUNNER = """\
runner:
  retry: {in_run_seconds: 60}
  tenants: {acme: {concurrency: 1}, globex: {concurrency: 1}, initech: {concurrency: 1}}
"""
LONG = {"max_retries": 3, "initial_delay_seconds": 600, "max_delay_seconds": 600}
SHORT = {"max_retries": 3, "initial_delay_seconds": 60, "max_delay_seconds": 60}
FAILS_ONCE = "test $ORCHESTRATE_ATTEMPT -gt 1 || exit 2"
LAUNCH = "mutation($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename } }"
TERMINATE = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"
REPOSITORY = {"repositoryLocationName": "orchestration", "repositoryName": "__repository__"}


def wait_for(look: Callable[[], Any], what: str, *, seconds: float = 120) -> Any:
    """What `look` returns once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(0.2)
    return found


@dataclass
class System:
    """A workspace, whether it is up or not."""

    runs: Any
    url: str = ""
    listed: list[dict[str, Any]] = field(default_factory=list)
    """What `retry list` showed while all three waited."""

    @property
    def instance(self) -> dg.DagsterInstance:
        return self.runs.instance

    @contextmanager
    def up(self) -> Iterator[None]:
        """While it is up."""
        log = self.runs.root / "up.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [ORCHESTRATE, "up", "--port", "0", "--graceful-shutdown-timeout", "1s"],
                cwd=self.runs.root,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_for(lambda: " ready " in log.read_text(), "the UI")
            [line] = [line for line in log.read_text().splitlines() if " ready " in line]
            self.url = next(word for word in line.split() if word.startswith("http"))
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(120)

    @property
    def environ(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.runs.root), "LANG": "C.UTF-8"}

    def orchestrate(self, *arguments: str) -> str:
        return subprocess.run(
            [ORCHESTRATE, *arguments],
            cwd=self.runs.root,
            env=self.environ,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.url}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["data"]

    def press(self, job_id: str) -> None:
        """Launch a run as the button of the UI does."""
        selection = [{"path": job_id.split("/")}]
        selector = {**REPOSITORY, "jobName": "__ASSET_JOB", "assetSelection": selection}
        self.ask(LAUNCH, p={"selector": selector, "runConfigData": {}})

    def runs_of(self, job_id: str) -> list[dg.DagsterRun]:
        """The runs of the job, the first one first."""
        tenant, _, name = job_id.partition("/")
        wanted = dg.RunsFilter(tags={"tenant": tenant, "job_name": name})
        return list(reversed(self.instance.get_runs(wanted)))

    def wait(self, job_id: str, runs: int, status: dg.DagsterRunStatus) -> dg.DagsterRun:
        """The last of so many runs of the job, once it has that status."""

        def look() -> bool:
            found = self.runs_of(job_id)
            return len(found) == runs and found[-1].status is status

        wait_for(look, f"run {runs} of {job_id} in {status}")
        return self.runs_of(job_id)[-1]

    def wait_for_a_wait(self, job_id: str) -> str:
        """The id of the run of the job, once it waits for its retry."""
        run = self.wait(job_id, 1, dg.DagsterRunStatus.STARTED)
        wait_for(lambda: "again" in self.runs.steps(run.run_id), f"the wait of {job_id}")
        return run.run_id

    def let_the_sensor_look(self) -> None:
        """Wait until it has looked twice more."""
        states = self.instance.all_instigator_state()
        [state] = [found for found in states if found.origin.instigator_name == "retries"]

        def looks() -> float:
            ticks = self.instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
            return ticks[0].tick_id if ticks else 0

        before = looks()
        wait_for(lambda: looks() >= before + 3, "more looks of the sensor")


def make_files(runs: Any) -> None:
    for tenant in TENANTS:
        runs.write_job(f"{tenant}/flaky", FAILS_ONCE, retry_config=LONG)
        runs.write_job(f"{tenant}/other", "true")
        runs.write_job(f"{tenant}/short", "exit 2", retry_config=SHORT)


def happen(system: System) -> None:
    """Everything, in order."""
    failed, done = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS
    with system.up():
        system.runs.open()
        for tenant in TENANTS:
            system.press(f"{tenant}/flaky")
        waiting = {t: system.wait(f"{t}/flaky", 1, failed).run_id for t in TENANTS}
        for tenant in TENANTS:
            system.press(f"{tenant}/other")
        for tenant in TENANTS:
            system.wait(f"{tenant}/other", 1, done)
        system.listed = json.loads(system.orchestrate("retry", "list", "--format", "json"))
        system.orchestrate("retry", "cancel", "initech/flaky")
        system.runs.bring_forward(waiting["acme"], waiting["initech"])
        system.wait("acme/flaky", 2, done)

        system.press("acme/short")
        run_id = system.wait_for_a_wait("acme/short")
        system.ask(TERMINATE, id=run_id)
        system.wait("acme/short", 1, dg.DagsterRunStatus.CANCELED)

        system.press("globex/short")
        system.wait_for_a_wait("globex/short")
    system.runs.bring_forward(waiting["globex"])
    with system.up():
        system.wait("globex/flaky", 2, done)
        system.let_the_sensor_look()


@pytest.fixture(scope="module")
def system(make_runs) -> System:
    runs = make_runs.bare(RUNNER)
    make_files(runs)
    system = System(runs=runs)
    happen(system)
    return system


def test_while_a_retry_is_waited_for_other_jobs_of_the_tenant_run(system):
    """Each tenant may have one run at a time, and each has one that waits for ten minutes."""
    assert {(row["job"], row["attempt"]) for row in system.listed} == {
        (f"{tenant}/flaky", 2) for tenant in TENANTS
    }
    order = [job for job, *_ in system.runs.said if job.endswith(("/flaky", "/other"))]
    for tenant in TENANTS:
        own = [job for job in order if job.startswith(tenant)]
        assert own[:2] == [f"{tenant}/flaky", f"{tenant}/other"]


@pytest.mark.parametrize("tenant", ["acme", "globex"])
def test_a_retry_starts_once_when_it_is_due_also_if_nothing_was_up_then(system, tenant):
    first, second = system.runs_of(f"{tenant}/flaky")

    attempts = [
        (named, told, run, n)
        for named, told, run, n in system.runs.said
        if named == f"{tenant}/flaky"
    ]
    assert attempts == [
        (f"{tenant}/flaky", tenant, first.run_id, 1),
        (f"{tenant}/flaky", tenant, second.run_id, 2),
    ]
    assert (second.job_name, second.parent_run_id, second.root_run_id) == (
        tenant,
        first.run_id,
        first.run_id,
    )
    assert second.tags["orchestration/retry_of"] == first.run_id
    assert first.tags["orchestration/retry"] == "launched"


def test_the_ui_shows_a_run_and_its_retry_as_one_group(system):
    first, second = system.runs_of("acme/flaky")

    groups = [system.instance.get_run_group(run.run_id) for run in (first, second)]

    assert [(root, {run.run_id for run in group}) for root, group in groups] == [
        (first.run_id, {first.run_id, second.run_id})
    ] * 2


def test_a_retry_continues_the_trace_and_is_bound_by_the_limits(system):
    first, second = system.runs_of("globex/flaky")

    trace = [run.tags["orchestration/traceparent"].split("-")[1] for run in (first, second)]

    assert trace == [first.run_id.replace("-", "")] * 2
    assert second.tags[".dagster/orchestration/tenant/globex"] == "1"
    assert second.tags["dagster/max_runtime"] == str(24 * 3600 + 10 + 60)
    assert second.tags["dagster/max_retries"] == "2"


def test_a_retry_that_was_cancelled_does_not_start(system):
    [run] = system.runs_of("initech/flaky")

    assert run.tags["orchestration/retry"] == "cancelled"
    assert [n for job, _, _, n in system.runs.said if job == "initech/flaky"] == [1]


@pytest.mark.parametrize("job", ["acme/short", "globex/short"])
def test_a_wait_in_a_run_is_cancelled_by_the_ui_and_by_the_end_of_up(system, job):
    [run] = system.runs_of(job)

    assert run.status is dg.DagsterRunStatus.CANCELED
    assert [n for said, _, _, n in system.runs.said if said == job] == [1]
