"""A workspace of three tenants, and `orchestrate run --retry` of one of its jobs, to which faults
happen at chosen moments.
"""

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import duckdb
import psutil
from guarantees_matrix import MOMENTS, role_of

from orchestration.runner.checkpoint_stores import LocalStore
from orchestration.runner.checkpoints import Checkpoints

LIBRARY = Path(__file__).parent
ORCHESTRATE = str(Path(sys.executable).with_name("orchestrate"))
TENANTS = ("acme", "globex", "initech")
ROWS_OF_A_FILE = 40
RUNNER = """\
runner:
  tenants:
    acme: {secrets: {provider: file, path: secrets/acme}}
    globex: {secrets: {provider: file, path: secrets/globex}}
    initech: {secrets: {provider: file, path: secrets/initech}}
"""
COMMON = """\
grace_period: 2s
env: {{TOKEN: "${{TOKEN}}", PYTHONPATH: {hook}, GUARANTEES_CONTROL: {control}, GUARANTEES_ROLE: command}}
retry_config:
  max_retries: 2
  backoff_multiplier: 1
  initial_delay_seconds: {delay}
  retryable_exit_codes: [2]
  retry_on_signal: [SIGKILL]
"""
JOBS = {
    "command": "command: [{python}, {library}/guarantees_load.py, data/{tenant}, warehouse/{tenant}]\n",
    "connector": (
        "asset: things\nsource_connector: csv\ntarget_connector: duckdb\n"
        "source: {{path: data/{tenant}/*.csv}}\n"
        "target: {{path: warehouse/{tenant}, table: things}}\n"
    ),
}
_SECONDS = 60
# The longer one leaves the test the time to do something meanwhile.
_DELAY_SECONDS, _LONG_DELAY_SECONDS = 1, 4


class Disk(Protocol):
    """The disk on which a workspace lies."""

    def fill(self, processes: list[psutil.Process]) -> None:
        """Let none of these processes, and nothing that they start, write anything more."""

    def free(self) -> None:
        """Make it as it was."""


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A file system of its own, that a file fills."""

    root: Path

    def fill(self, processes: list[psutil.Process]) -> None:
        del processes
        with (self.root / "ballast").open("wb", buffering=0) as ballast:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while ballast.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        (self.root / "ballast").unlink()


@dataclass(frozen=True, slots=True)
class ForbiddenDisk:
    """Where nothing can be mounted: a limit on the size of files, which children inherit."""

    def fill(self, processes: list[psutil.Process]) -> None:
        for process in processes:
            process.rlimit(psutil.RLIMIT_FSIZE, (0, 0))

    def free(self) -> None:
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended: its exit code, negative for a signal, and how many attempts it made."""

    code: int
    attempts: int

    def __str__(self) -> str:
        many = f", attempt {self.attempts}" if self.attempts > 1 else ""
        match self.code:
            case 0:
                return f"succeeded{many}"
            case 2:
                return f"failed{many}"
            case 3:
                return "broke off"
            case 143:
                return "cancelled"
            case _:
                return "killed" if self.code == -signal.SIGKILL else f"exit {self.code}"


@dataclass
class System:
    """A workspace in `root`, of jobs of one kind."""

    root: Path
    control: Path
    kind: str
    disk: Disk
    files: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TENANTS, 0))

    def write(self) -> None:
        """The files of the workspace, and each job run once."""
        (self.root / "runner.yaml").write_text(RUNNER)
        for name in ("secrets", "warehouse"):
            (self.root / name).mkdir()
        facts = {
            "python": sys.executable,
            "library": LIBRARY,
            "hook": LIBRARY / "hook",
            "control": self.control,
        }
        for tenant in TENANTS:
            (self.root / "data" / tenant).mkdir(parents=True)
            (self.root / "jobs" / tenant).mkdir(parents=True)
            text = (JOBS[self.kind] + COMMON).format(tenant=tenant, delay=_DELAY_SECONDS, **facts)
            self.job_file(tenant).write_text(text)
            self.keep_secret(tenant)
            self.add_file(tenant)
            assert str(self.run(tenant)) == "succeeded", self.output()

    def job_file(self, tenant: str) -> Path:
        return self.root / "jobs" / tenant / "things.yaml"

    def wait_between_attempts(self, tenant: str, seconds: int) -> None:
        text = self.job_file(tenant).read_text()
        before, key, _ = text.partition("initial_delay_seconds: ")
        after = text.partition("\n  retryable_exit_codes")
        self.job_file(tenant).write_text(f"{before}{key}{seconds}{after[1]}{after[2]}")

    def keep_secret(self, tenant: str) -> None:
        path = self.root / "secrets" / tenant
        path.write_text("TOKEN=swordfish\n")
        path.chmod(0o600)

    def add_file(self, tenant: str) -> None:
        """Something new in the source of a tenant."""
        self.files[tenant] += 1
        first = self.files[tenant] * ROWS_OF_A_FILE
        path = self.root / "data" / tenant / f"{self.files[tenant]:04}.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("id", "tenant"))
            writer.writerows((first + number, tenant) for number in range(ROWS_OF_A_FILE))

    def run(self, tenant: str) -> Ended:
        """An undisturbed run."""
        with self.start(tenant) as process:
            return self.end(process)

    def start(self, tenant: str) -> subprocess.Popen[str]:
        with (self.control / "output").open("w") as output:
            return subprocess.Popen(
                [ORCHESTRATE, "run", f"{tenant}/things", "--retry", "--log-format", "json"],
                cwd=self.root,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(self.root),
                    "PYTHONPATH": str(LIBRARY / "hook"),
                    "GUARANTEES_CONTROL": str(self.control),
                    "GUARANTEES_ROLE": "runner",
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def end(self, process: subprocess.Popen[str]) -> Ended:
        code = process.wait(timeout=_SECONDS)
        retries = [event for event in self.events() if event["event_type"] == "retry_attempt"]
        return Ended(code=code, attempts=1 + len(retries))

    def events(self) -> list[dict[str, Any]]:
        """What the run has told so far; what is no JSON is a traceback of orchestrate."""
        lines = (self.control / "output").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def suffer(self, tenant: str, moment: str, fault: str) -> Ended:
        """A run of the tenant's job to which the fault happens at the moment."""
        waits = not MOMENTS[moment].steps
        self.hold("during extract" if waits else moment)
        if waits:
            self.wait_between_attempts(tenant, _LONG_DELAY_SECONDS)
        with self.start(tenant) as process:
            wait_for((self.control / "held").exists, f"{moment} with {fault}", self.output)
            if waits:
                (self.control / "go").write_text("raise")
                wait_for(self._is_waiting, f"{moment} with {fault}", self.output)
            self.happen(tenant, process, fault, waits=waits)
            return self.end(process)

    def hold(self, moment: str) -> None:
        """The next process that comes to this moment waits there, and leaves a file `held`."""
        for path in self.control.iterdir():
            path.unlink()
        role, steps = role_of(self.kind, moment), MOMENTS[moment].steps[self.kind]
        (self.control / f"{role}.json").write_text(json.dumps(steps))

    def output(self) -> str:
        return (self.control / "output").read_text()

    def _is_waiting(self) -> bool:
        return any(event["event_type"] == "retry_attempt" for event in self.events())

    def happen(
        self,
        tenant: str,
        process: subprocess.Popen[str] | psutil.Process,
        fault: str,
        *,
        waits: bool,
    ) -> None:
        """Let the fault happen to the run of that process."""
        answer = "go on"
        match fault:
            case "SIGKILL of the runner":
                process.kill()
                return
            case "SIGTERM to the runner":
                process.terminate()
                return
            case "SIGKILL of the command" | "SIGTERM to the command":
                number = getattr(signal, fault.split(maxsplit=1)[0])
                os.kill(int((self.control / "held").read_text()), number)
                return
            case "exception":
                answer = "raise"
                if waits:  # the next attempt does not find what it needs
                    (self.root / "secrets" / tenant).unlink()
            case "disk full":
                self.disk.fill(self.processes())
            case "database gone":
                (self.root / "warehouse").rename(self.root / "gone")
                (self.root / "warehouse").write_text("no folder, and nobody can make one")
        (self.control / "go").write_text(answer)

    def mend(self, tenant: str, fault: str) -> None:
        """Undo what the fault has left."""
        for path in self.control.glob("*.json"):
            path.unlink()
        if fault == "disk full":
            self.disk.free()
        if fault == "database gone":
            (self.root / "warehouse").unlink()
            (self.root / "gone").rename(self.root / "warehouse")
        self.keep_secret(tenant)
        self.wait_between_attempts(tenant, _DELAY_SECONDS)

    def processes(self) -> list[psutil.Process]:
        """All that is left of runs in this workspace."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("GUARANTEES_CONTROL") == str(self.control):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def wait_until_nothing_is_left(self) -> None:
        wait_for(lambda: not self.processes(), "the end of all processes", self.output)

    def source(self, tenant: str) -> list[tuple[int, str]]:
        rows = []
        for path in sorted((self.root / "data" / tenant).glob("*.csv")):
            with path.open(newline="") as file:
                rows += [(int(row["id"]), row["tenant"]) for row in csv.DictReader(file)]
        return rows

    def rows(self, tenant: str) -> list[tuple[int, str]]:
        """What the target holds, in order."""
        path = str(self.root / "warehouse" / tenant)
        query = "select id, tenant from {} order by id"
        if self.kind == "command":
            with closing(sqlite3.connect(path)) as sink:
                found = sink.execute(query.format("things")).fetchall()
        else:
            with duckdb.connect(path, read_only=True) as sink:
                found = sink.execute(query.format(f"{tenant}.things")).fetchall()
        return [(int(number), name) for number, name in found]

    def remembered(self, tenant: str) -> list[tuple[int, str]]:
        """The rows that a command job takes for committed, by its checkpoint."""
        store = LocalStore(self.root / ".orchestrate/checkpoints")
        checkpoints = Checkpoints(store=store, job_id=f"{tenant}/things")
        current = checkpoints.current()
        last = checkpoints.read(current).decode() if current else ""
        files = int(last.partition(".")[0] or 0)
        return self.source(tenant)[: files * ROWS_OF_A_FILE]


def wait_for(look: Callable[[], object], what: str, output: Callable[[], str]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not look():
        assert time.monotonic() < deadline, f"{what} did not come:\n{output()}"
        time.sleep(0.01)
