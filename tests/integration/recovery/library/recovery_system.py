"""One `orchestrate up` whose processes are killed at chosen moments, and the log of what it did."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
from recovery_checker import Log, Look, Outage, Run, Work

from orchestration.cli.dev.home import find_home
from orchestration.config import EMPTY_CATALOG, load_workspace
from orchestration.defs.instance import MARK, render_instance
from orchestration.domain.ticks import schedule_ticks
from orchestration.domain.workspace import Workspace

LIBRARY = Path(__file__).parent
ORCHESTRATE = Path(sys.executable).with_name("orchestrate")
TENANTS = ("acme", "globex", "initech")
EVERY_MINUTE = frozenset({"acme_minute", "globex_minute", "initech_minute"})
LATEST = EVERY_MINUTE - {"globex_minute"}
RUNNER = """\
runner:
{storage}  tenants: {{acme: {{}}, globex: {{}}, initech: {{}}}}
  orchestrator:
    concurrency_per_tenant: 1
    schedules:
      - {{name: acme_minute, config: jobs/acme/minute.yaml, cron: "* * * * *"}}
      - {{name: globex_minute, config: jobs/globex/minute.yaml, cron: "* * * * *", catch_up: all}}
      - {{name: initech_minute, config: jobs/initech/minute.yaml, cron: "* * * * *"}}
      - {{name: initech_grid, config: jobs/initech/grid.yaml, interval_seconds: 90, catch_up: all}}
"""
JOBS = ("acme/minute", "globex/minute", "initech/minute", "initech/grid")
WORK_SECONDS, STOP_SECONDS = "1.0", "2.0"
PROGRAMS = {
    "web server": "dagster_webserver",
    "code server": "dagster code-server start",
    "run server": "orchestration.defs.run_server",
    "daemon": "dagster._daemon",
}
HELD_CLASSES = {
    "orchestration.defs.coordinator\n  class: OrchestrationRunCoordinator": "HeldCoordinator",
    "orchestration.defs.launcher\n  class: ForkingRunLauncher": "HeldLauncher",
}
"""Of the classes in `dagster.yaml`, those that a test stands in for."""
STORAGE = (
    "storage:\n  custom:\n    module: recovery_moments\n    class: {name}\n    config: {config}"
)
LOOK_SECONDS = 15
"""So long after the start of a daemon it has looked at every schedule."""
QUIET_SECONDS = 170
_POLL_SECONDS = 0.05
_LOOK_SECONDS = 0.5
_LATEST_RUNS = 50
_SECONDS_BEFORE_A_TICK = 1.2
"""So long before a tick the files are changed, for the load to be under way when it is due."""


class LateError(Exception):
    """Something did not come in time."""


def wait_for(look: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """What `look` returns once it is true.

    Raises:
        LateError: it did not come true.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise LateError(f"{what} did not come within {seconds} s")
        time.sleep(_POLL_SECONDS)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A process is killed at a moment. `at` is when, `back` when all was running again."""

    moment: str
    victim: str
    at: float
    back: float
    settled: float


@dataclass
class System:
    """A workspace in `root` and its `orchestrate up`; `database` is the URL of a PostgreSQL one."""

    root: Path
    database: str | None
    outages: list[Outage] = field(default_factory=list)
    _up: subprocess.Popen[bytes] | None = None
    _instance: dg.DagsterInstance | None = None
    _starts: int = 0
    _ready: float = 0.0
    _edits: int = 0

    def __post_init__(self) -> None:
        self._moments = self.root / "moments"
        self._record = self.root / "record"
        self._home = find_home(self.root / ".orchestrate", {})
        self._environ = {
            key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ
        }
        self._environ |= {
            "PYTHONPATH": str(LIBRARY),
            "RECOVERY_MOMENTS": str(self._moments),
            "ORCHESTRATE_RUNNER": str(self.root / "runner.yaml"),
        }
        if self.database:
            self._environ["DATABASE_URL"] = self.database

    def write(self) -> None:
        """The files of the workspace, and an instance with its tables."""
        self._moments.mkdir(parents=True)
        self._write_runner()
        for job_id in JOBS:
            tenant, _, name = job_id.partition("/")
            argv = [sys.executable, "-I", "-S", str(LIBRARY / "recovery_stamp.py")]
            argv += [str(self._record), str(self._moments), tenant, WORK_SECONDS, STOP_SECONDS]
            file = self.root / "jobs" / tenant / f"{name}.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"asset: {name}\ncommand: {json.dumps(argv)}\ngrace_period: 5s\n")
        self._home.dagster.mkdir(parents=True)
        (self._home.dagster / "dagster.yaml").write_text(self._render_instance())
        self._instance = dg.DagsterInstance.from_config(str(self._home.dagster))
        self._instance.get_runs_count()

    def start(self) -> None:
        """Start `orchestrate up`, and wait until it says that it is ready."""
        self._starts += 1
        with self._output.open("wb") as log:
            self._up = subprocess.Popen(
                [ORCHESTRATE, "up", "--port", "0"],
                cwd=self.root,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for(lambda: " ready " in self._output.read_text(), seconds=180, what="`up`")
        self._ready = self._ready or time.time()

    def stop(self) -> None:
        """Stop it as a person does."""
        if self._instance is not None:
            self._instance.dispose()
        if self._up is None:
            return
        self._up.send_signal(signal.SIGTERM)
        try:
            self._up.wait(timeout=90)
        except subprocess.TimeoutExpired:
            self._kill_everything()
            raise

    def kill_at(self, moment: str, victim: str) -> Kill:
        """Kill the process at the moment, and wait until all is well again."""
        holder = self._reach(moment)
        at = time.time()
        if victim == "everything":
            self._kill_everything()
            self._release()
            self.start()
        else:
            process = self._find(victim, holder)
            process.kill()
            process.wait(timeout=10)
            self._release()
            if victim != "worker":
                wait_for(lambda: self._is_back(victim, process), seconds=60, what=f"a {victim}")
        back = time.time()
        # A tick that failed is looked at again at the next full minute, a new daemon looks at once.
        looked = (back // 60 + 1) * 60 if victim == "code server" else back
        self.outages.append(Outage(start=at, end=back, looked=looked + LOOK_SECONDS))
        with suppress(LateError):  # the checker will say what is the matter
            self.wait_until_quiet(back)
        return Kill(moment=moment, victim=victim, at=at, back=back, settled=time.time())

    def wait_until_looked(self, tick: float) -> None:
        """Wait until each schedule of every minute has a run for that full minute, or a later one:
        nothing comes for an earlier one any more.

        Raises:
            LateError: one has not.
        """

        def has_looked() -> bool:
            runs = self._instance.get_runs(limit=_LATEST_RUNS)
            return {_schedule(run) for run in runs if _tick(run) >= tick} >= EVERY_MINUTE

        wait_for(has_looked, seconds=QUIET_SECONDS, what="the runs of the last full minute")

    def wait_until_quiet(self, until: float) -> None:
        """Wait until all runs for ticks up to then have ended.

        Raises:
            LateError: they have not.
        """
        wait_for(lambda: self._is_quiet(until), seconds=QUIET_SECONDS, what="the end of all runs")

    def log(self) -> Log:
        """What the instance has done since the first tick that every schedule was ready for."""
        workspace = self._workspace()
        now = time.time()
        start, end = ((self._ready + LOOK_SECONDS) // 60 + 1) * 60, now // 60 * 60
        ticks = _ticks(workspace, start, end + 300)
        runs = [run for run in self._runs() if start <= run.tick < end]
        ids = {run.run_id for run in runs}
        works = [work for work in self._works() if work.run_id in ids]
        return Log(
            ticks=ticks,
            latest=LATEST,
            runs=runs,
            works=works,
            outages=self.outages,
            until=end,
            end=now,
            looks=self._looks(),
        )

    def tail(self) -> str:
        """The ends of all logs."""
        logs = [*self.root.glob("up*.log"), *self._home.logs.glob("*.log")]
        return "\n".join(f"=== {log.name}\n{log.read_text()[-3000:]}" for log in logs)

    @property
    def _output(self) -> Path:
        return self.root / f"up{self._starts}.log"

    def _workspace(self) -> Workspace:
        return load_workspace(
            self.root / "runner.yaml", environ=self._environ, catalog=EMPTY_CATALOG
        )

    def _write_runner(self) -> None:
        storage = "  postgres_url: ${DATABASE_URL}\n" if self.database else ""
        text = f"# edit {self._edits}\n{RUNNER.format(storage=storage)}"
        (self.root / "new").write_text(text)
        (self.root / "new").rename(self.root / "runner.yaml")

    def _render_instance(self) -> str:
        workspace = self._workspace()
        text = render_instance(
            workspace, dagster_home=self._home.dagster, run_server=self._home.run_server
        ).removeprefix(MARK)
        for named, held in HELD_CLASSES.items():
            assert named in text
            text = text.replace(named, f"recovery_moments\n  class: {held}")
        storage = text[text.index("storage:\n") : text.index("# Forks the process")]
        if self.database:
            name, config = "HeldPostgresStorage", {"postgres_url": self.database}
        else:
            name, config = "HeldEmbeddedStorage", {"base_dir": str(self._home.dagster)}
        held = STORAGE.format(name=name, config=json.dumps(config))
        return f"#{text.replace(storage, held + chr(10) * 2)}"

    def _reach(self, moment: str) -> int:
        """Wait until a process is held at the moment; its id."""
        if moment == "reload":
            return self._reach_reload()
        (self._moments / "holder").unlink(missing_ok=True)
        (self._moments / moment).touch()
        return wait_for(self._holder, seconds=200, what=f"the moment `{moment}`")

    def _holder(self) -> int | None:
        with suppress(FileNotFoundError, ValueError):
            return int((self._moments / "holder").read_text())
        return None

    def _reach_reload(self) -> int:
        """Wait until a new process loads the definitions while a tick is due."""
        server = self._service("code server")
        before = set(server.children(recursive=True))
        time.sleep((60 - _SECONDS_BEFORE_A_TICK - time.time()) % 60)
        self._edits += 1
        self._write_runner()

        def loading() -> psutil.Process | None:
            return next(iter(set(server.children(recursive=True)) - before), None)

        found = wait_for(loading, seconds=30, what="a reload")
        time.sleep(max(0.0, 0.2 - time.time() % 60) if time.time() % 60 < 1 else 0)
        return found.pid

    def _release(self) -> None:
        (self._moments / "reached").unlink(missing_ok=True)

    def _find(self, victim: str, holder: int) -> psutil.Process:
        if victim != "worker":
            return self._service(victim)
        server = self._service("run server")
        process = psutil.Process(holder)
        return next(p for p in (process, *process.parents()) if p.ppid() == server.pid)

    def _service(self, name: str) -> psutil.Process:
        return wait_for(lambda: self._find_service(name), seconds=60, what=f"the {name}")

    def _find_service(self, name: str) -> psutil.Process | None:
        """The process of the service, below its guard."""
        assert self._up is not None
        for guard in psutil.Process(self._up.pid).children():
            with suppress(psutil.Error):  # it has just ended
                for process in guard.children():
                    if PROGRAMS[name] in " ".join(process.cmdline()):
                        return process
        return None

    def _is_back(self, victim: str, before: psutil.Process) -> bool:
        found = self._find_service(victim)
        return found is not None and found != before

    def _kill_everything(self) -> None:
        """As when the machine loses its power."""
        assert self._up is not None
        up = psutil.Process(self._up.pid)
        everyone = [up, *up.children(recursive=True)]
        for process in everyone:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._up.wait()
        psutil.wait_procs(everyone, timeout=10)

    def _is_quiet(self, until: float) -> bool:
        """Whether all runs for ticks up to then have ended, and none is about to come or to be
        repeated.
        """
        time.sleep(_LOOK_SECONDS)
        runs = [run for run in self._instance.get_runs(limit=_LATEST_RUNS) if _tick(run) <= until]
        if self._just_due(until) - {(_schedule(run), _tick(run)) for run in runs}:
            return False
        repeated = {run.parent_run_id for run in runs}
        return all(run.is_finished and _is_settled(run, repeated) for run in runs)

    def _just_due(self, until: float) -> set[tuple[str, float]]:
        """The ticks of the minute before, of which none has been overtaken by the next one yet."""
        start = max(until - 60, time.time() - 60, self._ready + LOOK_SECONDS)
        due = _ticks(self._workspace(), start, until)
        return {(name, tick) for name, ticks in due.items() for tick in ticks}

    def _runs(self) -> list[Run]:
        return [_read_run(record) for record in self._instance.get_run_records()]

    def _looks(self) -> dict[str, list[Look]]:
        """Those at each schedule that have an end."""
        found = {}
        for state in self._instance.all_instigator_state():
            ticks = self._instance.get_ticks(state.instigator_origin_id, state.selector_id)
            found[state.instigator_name] = [
                Look(tick=tick.timestamp, end=tick.end_timestamp)
                for tick in ticks
                if tick.end_timestamp is not None
            ]
        return found

    def _works(self) -> Iterator[Work]:
        stamps: dict[tuple[str, ...], list[tuple[str, float]]] = {}
        for line in self._record.read_text().splitlines():
            what, at, *who = line.split()
            stamps.setdefault(tuple(who), []).append((what, float(at)))
        for (tenant, run_id, _), own in stamps.items():
            yield Work(
                run_id=run_id,
                tenant=tenant,
                start=own[0][1],
                end=own[-1][1],
                done=own[-1][0] == "end",
            )


def _is_settled(run: dg.DagsterRun, repeated: set[str | None]) -> bool:
    """Whether a run that has ended is known not to be repeated, or has been."""
    failed = run.status is dg.DagsterRunStatus.FAILURE
    return not failed or run.run_id in repeated or run.tags.get("dagster/will_retry") == "false"


def _ticks(workspace: Workspace, start: float, end: float) -> dict[str, tuple[float, ...]]:
    """Those of each schedule."""
    return {
        schedule.name: tuple(
            tick.timestamp() for tick in schedule_ticks(schedule, start=_utc(start), end=_utc(end))
        )
        for schedule in workspace.schedules
    }


def _schedule(run: dg.DagsterRun) -> str:
    return run.tags["orchestration/schedule"]


def _tick(run: dg.DagsterRun) -> float:
    return datetime.fromisoformat(run.tags["orchestration/scheduled_at"]).timestamp()


def _read_run(record: dg.RunRecord) -> Run:
    run = record.dagster_run
    return Run(
        run_id=run.run_id,
        root=run.root_run_id or run.run_id,
        schedule=_schedule(run),
        tick=_tick(run),
        tenant=run.tags.get("tenant", ""),
        status=run.status.value,
        created=record.create_timestamp.replace(tzinfo=UTC).timestamp(),
        started=record.start_time,
    )


def _utc(stamp: float) -> datetime:
    return datetime.fromtimestamp(stamp, UTC)


def run_lane(system: System, kills: Sequence[tuple[str, str]]) -> tuple[list[Kill], Log]:
    """Kill at each of these moments, one after the other; what was done, and all that happened."""
    done = []
    try:
        system.write()
        system.start()
        for moment, victim in kills:
            done.append(system.kill_at(moment, victim))
        # The next tick is run, and what has failed is looked at; those before it are judged.
        end = max(time.time() // 60 * 60 + 60, *(outage.looked for outage in system.outages))
        time.sleep(max(0.0, end - time.time()))
        with suppress(LateError):  # the checker will say what is the matter
            system.wait_until_looked(end // 60 * 60)
            system.wait_until_quiet(end)
        log = system.log()
        return done, log
    finally:
        system.stop()
