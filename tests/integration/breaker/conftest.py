"""One Dagster daemon, and two code servers with a workspace each, that share a PostgreSQL database.

Both workspaces have jobs of the same tenants with the same connector. It stops working for one
tenant, and works again later. The tests judge what the commands wrote down, and what the instance
says of runs and ticks.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import TickStatus

from orchestration.config import EMPTY_CATALOG, load_workspace
from orchestration.defs.ledger import BreakerRow, Ledger
from orchestration.domain.breaker import BreakerState

STAMP = Path(__file__).with_name("stamp.py")
ORCHESTRATE = Path(sys.executable).with_name("orchestrate")
SITES = {
    "north": ("acme/orders", "globex/orders", "initech/orders"),
    "south": ("acme/refunds", "globex/refunds"),
}
"""The workspaces, and their jobs that read from `stripe`."""
PAUSABLE = "initech/flaky"
"""A job of `north` without that connector, whose schedule is paused after two failures."""
SECONDS_BETWEEN_TICKS = 45
"""Each run starts a Python of its own, and other tests go on beside these."""
OPEN_SECONDS = 90
"""Longer than a run takes from its tick to its end, on a busy machine too: one that was let through
before the breaker opened, and fails when it is half-open, would open it again in place of the probe.
"""
RUNNER = """\
runner:
  state_directory: {state}
  connectors:
    stripe: {{breaker: {{failures: 2, within: 10m, open_for: {open_seconds}s}}}}
  orchestrator:
    schedules:
"""
SCHEDULE = """\
      - name: {name}
        config: jobs/{job}.yaml
        {trigger}
"""
INSTANCE = """\
telemetry: {{enabled: false}}
storage:
  custom:
    module: orchestration.defs.postgres_storage
    class: PostgresStorage
    config: {{postgres_url: "{url}"}}
run_coordinator:
  module: orchestration.defs.coordinator
  class: OrchestrationRunCoordinator
  config: {{index_file: {index}, dequeue_interval_seconds: 1}}
schedules: {{use_threads: true, num_workers: 4}}
sensors: {{use_threads: true, num_workers: 4}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One process of a job: `named` is the job that its command names, `told` the one that it was
    told to be.
    """

    at: float
    named: str
    told: str
    run_id: str
    succeeded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything that happened. `opened` are the instants at which the breaker of acme opened, and
    `closed` when it closed, in seconds. `created` is when each run came into being. `skips` are the
    reasons of ticks that launched nothing, by schedule, and `notices` the log of all runs.
    """

    works: list[Work]
    opened: list[float]
    closed: float
    created: dict[str, float]
    skips: dict[str, list[str]]
    notices: list[dict[str, Any]]
    others: list[BreakerRow]
    paused_works: int
    resumed: str


def wait_for(look: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """What `look` returns once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come within {seconds} s")
        time.sleep(0.5)
    return found


@dataclass
class System:
    """What runs in `root`, and a look into its instance."""

    root: Path
    environ: dict[str, str]
    instance: dg.DagsterInstance
    opened: list[float] = field(default_factory=list)

    def write(self) -> None:
        for site, jobs in SITES.items():
            schedules = "".join(self._schedule(job) for job in jobs)
            for job in jobs:
                self._write_job(site, job, "source_connector: stripe\n")
            if site == "north":
                self._write_job(site, PAUSABLE, "")
                trigger = (
                    f"after_completion_seconds: {SECONDS_BETWEEN_TICKS}\n"
                    "        max_consecutive_errors: 2"
                )
                schedules += SCHEDULE.format(name="flaky", job=PAUSABLE, trigger=trigger)
            runner = RUNNER.format(state=self.root / "state" / site, open_seconds=OPEN_SECONDS)
            (self.root / site / "runner.yaml").write_text(runner + schedules)
        servers = [
            {"grpc_server": {"socket": str(self.socket(site)), "location_name": site}}
            for site in SITES
        ]
        (self.root / "workspace.yaml").write_text(json.dumps({"load_from": servers}))

    def _schedule(self, job: str) -> str:
        trigger = f"interval_seconds: {SECONDS_BETWEEN_TICKS}"
        return SCHEDULE.format(name=job.replace("/", "_"), job=job, trigger=trigger)

    def _write_job(self, site: str, job: str, more: str) -> None:
        file = self.root / site / "jobs" / f"{job}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-I", "-S", str(STAMP), str(self.root / "record"), job]
        obstacle = self.obstacle("flaky" if job == PAUSABLE else job.partition("/")[0])
        name = job.partition("/")[2]
        file.write_text(f"asset: {name}\ncommand: {json.dumps([*argv, str(obstacle)])}\n{more}")

    def obstacle(self, name: str) -> Path:
        return self.root / f"{name}-fails"

    def socket(self, site: str) -> Path:
        return self.root / f"{site}.sock"

    def works(self, *jobs: str) -> list[Work]:
        """The processes so far, of those jobs if there are any."""
        record = self.root / "record"
        found = []
        for line in record.read_text().splitlines() if record.exists() else []:
            at, named, told, run_id, outcome = line.split()
            work = Work(
                at=int(at) / 1e9,
                named=named,
                told=told,
                run_id=run_id,
                succeeded=outcome == "succeeded",
            )
            found.append(work)
        return [work for work in found if not jobs or work.named in jobs]

    def breakers(self) -> list[BreakerRow]:
        """Those of all tenants."""
        file = self.root / "north" / "runner.yaml"
        workspace = load_workspace(file, environ={}, catalog=EMPTY_CATALOG)
        return Ledger(lambda: self.instance).breakers(workspace.jobs)

    def wait_until_open(self, *, what: str) -> None:
        """Wait until the breaker of acme has opened once more."""

        def opened() -> float | None:
            acme = self.breakers()[0]
            is_new = acme.since is not None and acme.since.timestamp() not in self.opened
            return acme.since.timestamp() if acme.since and is_new else None

        self.opened.append(wait_for(opened, seconds=400, what=what))

    def wait_until_closed(self) -> float:
        """When the breaker of acme closed, by the log of the run that did it."""

        def closed() -> list[str]:
            found = self.notices() if self.breakers()[0].state is BreakerState.CLOSED else []
            return [n["timestamp"] for n in found if n["event_type"] == "breaker_closed"]

        [at] = wait_for(closed, seconds=400, what="the end of the breaker")
        return datetime.fromisoformat(at).timestamp()

    def is_paused(self) -> bool:
        return any("max_consecutive_errors" in reason for reason in self.skips().get("flaky", ()))

    def skips(self) -> dict[str, list[str]]:
        """The reasons for which sensors launched nothing, by the names of their schedules."""
        found = {}
        for state in self.instance.all_instigator_state():
            ticks = self.instance.get_ticks(
                state.instigator_origin_id, state.selector_id, statuses=[TickStatus.SKIPPED]
            )
            name = state.instigator_name.removesuffix("__sensor")
            found[name] = [tick.skip_reason or "" for tick in ticks]
        return found

    def notices(self) -> list[dict[str, Any]]:
        """What the runs have logged of breakers."""
        return [
            json.loads(entry.user_message)
            for run in self.instance.get_runs()
            for entry in self.instance.all_logs(run.run_id)
            if "breaker_" in entry.user_message and entry.user_message.startswith("{")
        ]


@contextmanager
def running(system: System, name: str, *argv: str, **environ: str) -> Iterator[None]:
    """A process of Dagster's, with a log file of its name."""
    log = system.root / f"{name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", *argv],
            cwd=system.root,
            env={**system.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield
    except BaseException:
        sys.stderr.write(f"=== {log.name}\n{log.read_text()[-4000:]}\n")
        raise
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def everything(system: System) -> Iterator[None]:
    """Both code servers, then the daemon."""
    with ExitStack() as stack:
        for site in SITES:
            argv = (
                *("dagster", "api", "grpc", "--module-name", "orchestration.definitions"),
                *("--location-name", site, "--socket", str(system.socket(site))),
                "--use-python-environment-entry-point",
            )
            runner = str(system.root / site / "runner.yaml")
            stack.enter_context(running(system, site, *argv, ORCHESTRATE_RUNNER=runner))
        for site in SITES:
            wait_for(system.socket(site).exists, seconds=60, what=f"the code server of {site}")
        workspace = str(system.root / "workspace.yaml")
        argv = ("dagster._daemon", "run", "--workspace", workspace)
        stack.enter_context(running(system, "daemon", *argv))
        yield


def resume(system: System) -> str:
    """What the command says that resumes the schedule which failures have paused."""
    done = subprocess.run(
        [ORCHESTRATE, "schedule", "resume", "flaky"],
        cwd=system.root / "north",
        env=system.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def play(system: System) -> Record:
    """The connector fails for acme until its breaker has opened and one probe has failed."""
    system.obstacle("acme").touch()
    system.obstacle("flaky").touch()
    with everything(system):
        system.wait_until_open(what="the opening of the breaker")
        system.wait_until_open(what="a probe that fails")
        system.obstacle("acme").unlink()
        closed = system.wait_until_closed()
        wait_for(system.is_paused, seconds=400, what="the pause of the schedule")
        paused = len(system.works(PAUSABLE))
        system.obstacle("flaky").unlink()
        resumed = resume(system)
        for job in ("acme/orders", "acme/refunds", PAUSABLE):
            wait_for(
                lambda job=job: [w for w in system.works(job) if w.succeeded and w.at > closed],
                seconds=400,
                what=f"a run of {job} when everything works",
            )
    return Record(
        works=system.works(),
        opened=system.opened,
        closed=closed,
        created={
            record.dagster_run.run_id: record.create_timestamp.timestamp()
            for record in system.instance.get_run_records()
        },
        skips=system.skips(),
        notices=system.notices(),
        others=system.breakers()[1:],
        paused_works=paused,
        resumed=resumed,
    )


@pytest.fixture(scope="session")
def record(postgres_server, tmp_path_factory) -> Iterator[Record]:
    """What happened from the start of the daemon to its end."""
    root = tmp_path_factory.mktemp("breaker")
    home = root / "home"
    home.mkdir()
    index = root / "state" / "north" / "index.json"
    url = postgres_server.create_database()
    (home / "dagster.yaml").write_text(INSTANCE.format(index=index, url=url))
    environ = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    environ["DAGSTER_HOME"] = str(home)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        system = System(root=root, environ=environ, instance=instance)
        system.write()
        yield play(system)
