"""The probe of a half-open breaker under `orchestrate up`, to which a fault happens."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psutil
from guarantees_matrix import PROBE
from guarantees_system import ORCHESTRATE, RUNNER, System, wait_for

from orchestration.config import load_workspace
from orchestration.connectors.registry import CATALOG
from orchestration.defs import tags
from orchestration.defs.instance import find_dagster_home, render_instance
from orchestration.defs.ledger import Ledger
from orchestration.domain.breaker import BreakerState
from orchestration.domain.job import Job
from orchestration.domain.outcome import Outcome

OPEN_SECONDS = 20
GUARDED = """\
  breaker: {{failures: 1, within: 10m, open_for: {seconds}s}}
  orchestrator:
    schedules:
      - {{name: probe_{tenant}, config: jobs/{tenant}/things.yaml, after_completion_seconds: 5}}
"""
DISK_FULL = "disk full"
EITHER = "failed or cancelled"
ENDS = {
    dg.DagsterRunStatus.SUCCESS: "succeeded",
    dg.DagsterRunStatus.FAILURE: "failed",
    dg.DagsterRunStatus.CANCELED: "cancelled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """The system whose job of the tenant has a schedule and a breaker, and its instance."""

    system: System
    tenant: str
    job: Job
    instance: dg.DagsterInstance

    @property
    def ledger(self) -> Ledger:
        return Ledger(lambda: self.instance)

    def open_until_now(self) -> None:
        """The breaker has just become half-open."""
        then = datetime.now(UTC) - timedelta(seconds=OPEN_SECONDS)
        Ledger(lambda: self.instance, lambda: then).record(self.job, Outcome.FAILED)
        assert self.state() is BreakerState.HALF_OPEN

    def state(self) -> BreakerState:
        [row] = self.ledger.breakers([self.job])
        return row.state

    def runs(self) -> list[dg.DagsterRun]:
        """Those that the schedule has launched, the latest first."""
        return self.instance.get_runs(dg.RunsFilter(tags={tags.SCHEDULE: f"probe_{self.tenant}"}))

    def slots_in_use(self) -> list[str]:
        """The runs that hold one."""
        statuses = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING]
        return self.instance.get_run_ids(dg.RunsFilter(statuses=statuses))

    def is_closed(self) -> bool:
        """As after a success: the run has committed what there was."""
        return self.state() is BreakerState.CLOSED


def suffer_as_probe(system: System, tenant: str, _moment: str, fault: str) -> str:
    """How the run ended that probed a half-open breaker when the fault happened. All is repaired, and
    `orchestrate up` has closed the breaker after a restart, and ended.
    """
    with probed(system, tenant) as found:
        before = {run.run_id for run in found.runs()}
        found.open_until_now()
        with up(system):
            wait_for((system.control / "held").exists, "the probe", lambda: output(system))
            [probe] = [run for run in found.runs() if run.run_id not in before]
            refusal = found.ledger.admit(found.job, "another run", claim=False).refusal
            assert f"half-open: `probe_{tenant} " in refusal, refusal
            command = psutil.Process(int((system.control / "held").read_text()))
            worker = worker_of(command)
            system.happen(tenant, worker, fault, waits=False)
            wait_for(lambda: not worker.is_running(), "the end of the run", lambda: output(system))
        system.wait_until_nothing_is_left()
        system.mend(tenant, fault)
        with up(system):
            wait_for(found.is_closed, "the end of the breaker", lambda: output(system))
        system.wait_until_nothing_is_left()
        assert found.slots_in_use() == []
        ended = ENDS[found.instance.get_run_by_id(probe.run_id).status]
        return _either(ended) if fault == DISK_FULL else ended


def _either(ended: str) -> str:
    """Where the disk is full the end of a run may be lost; then the stop of `up` cancels it."""
    assert ended in EITHER.split(" or ")
    return EITHER


@contextmanager
def probed(system: System, tenant: str) -> Iterator[Probed]:
    """With a schedule and a breaker in the files, for a while."""
    system.hold(PROBE)
    file = system.root / "runner.yaml"
    file.write_text(RUNNER + GUARDED.format(seconds=OPEN_SECONDS, tenant=tenant))
    workspace = load_workspace(file, environ={}, catalog=CATALOG)
    [job] = [job for job in workspace.jobs if job.tenant == tenant]
    home = find_dagster_home(workspace.settings.state_directory, {})
    home.mkdir(parents=True, exist_ok=True)
    text = render_instance(workspace, dagster_home=home, run_server=home / "unused")
    (home / "dagster.yaml").write_text(text)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield Probed(system=system, tenant=tenant, job=job, instance=instance)
    file.write_text(RUNNER)


@contextmanager
def up(system: System) -> Iterator[None]:
    """`orchestrate up` is ready, and is told to stop in the end."""
    with log_of(system).open("wb") as log:
        process = subprocess.Popen(
            [ORCHESTRATE, "up", "--port", "0"],
            cwd=system.root,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(system.root),
                "GUARANTEES_CONTROL": str(system.control),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(lambda: " ready " in output(system), "`up`", lambda: output(system))
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            for left in system.processes():
                left.kill()
            process.wait()
            raise


def log_of(system: System) -> Path:
    """Not on the disk that becomes full."""
    return system.control.with_name(f"{system.control.name}-up.log")


def output(system: System) -> str:
    return log_of(system).read_text()


def worker_of(command: psutil.Process) -> psutil.Process:
    """The process of the run, which the run server has forked."""
    return next(p for p in command.parents() if any("run_server" in arg for arg in p.cmdline()))
