"""Many schedules due in the same minute: when the last of their connectors has started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.request import urlopen

import psutil
from timing import Section, environ, seconds, times

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

SCHEDULES = 300
TENANTS = 30
STAMP = ("sh", "-c", "date +%s.%N >> stamps")
STEPS = ("tick", "RUN_ENQUEUED", "RUN_STARTING", "RUN_START", "STEP_START", "RUN_SUCCESS")
_LEAD_SECONDS = {"ours": 60, "by hand": 90}
_LIMIT_SECONDS = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Seconds from the tick to the first and the last connector's start; the mean seconds that a run
    spent before each of STEPS, since the one before; CPU seconds by process, workers apart.
    """

    first: float
    last: float
    steps: Mapping[str, float]
    cpu: Mapping[str, float]


def measure() -> Section:
    ours, theirs = (_measure(name) for name in _LEAD_SECONDS)
    rows = [
        ("first connector starts after", seconds(ours.first), seconds(theirs.first), ""),
        (
            "last connector starts after",
            seconds(ours.last),
            seconds(theirs.last),
            times(theirs.last, of=ours.last),
        ),
        *(
            (
                f"of it, a run's mean time until {step}",
                seconds(ours.steps[step]),
                *_peer(theirs, step),
            )
            for step in STEPS[1:]
        ),
        *(
            (f"CPU seconds, {name}", f"{ours.cpu[name]:.0f}", f"{theirs.cpu[name]:.0f}", "")
            for name in sorted(ours.cpu)
        ),
    ]
    return Section(
        title=f"{SCHEDULES} schedules due in the same minute",
        note=(
            f"{SCHEDULES} jobs of {TENANTS} tenants, each with a schedule at the same minute; the "
            "command of a job stamps the time as its first act. `orchestrate dev`, beside "
            "`dagster dev` with one `define_asset_job` and one schedule a job and Dagster's "
            "defaults: both run ten at a time, with embedded storage. The steps are the events of "
            "Dagster: until RUN_ENQUEUED the scheduler creates runs, until RUN_STARTING a run waits "
            "in the queue, until RUN_START its process starts."
        ),
        header=("", "ours", "by hand", "ratio"),
        rows=rows,
    )


def _peer(theirs: Burst, step: str) -> tuple[str, str]:
    return seconds(theirs.steps[step]), ""


def _measure(side: str) -> Burst:
    due = _next_minute(_LEAD_SECONDS[side])
    cron = f"{due.minute} {due.hour} {due.day} {due.month} *"
    with TemporaryDirectory() as name:
        folder = Path(name)
        home = folder / ".orchestrate" / "dagster"
        write, argv = {"ours": (_write_ours, _ours), "by hand": (_write_theirs, _theirs)}[side]
        write(folder, cron)
        with _running(argv(_free_port()), folder, home) as (process, url):
            _wait_until_up(url, due)
            stamps = _wait_for_stamps(folder / "stamps", due)
            time.sleep(10)  # the last runs end
            cpu = _cpu(process)
        return Burst(
            first=min(stamps) - due.timestamp(),
            last=max(stamps) - due.timestamp(),
            steps=_mean_steps(home, due),
            cpu=cpu,
        )


def _next_minute(lead: float) -> datetime:
    earliest = datetime.now(UTC) + timedelta(seconds=lead)
    return earliest.replace(second=0, microsecond=0) + timedelta(minutes=1)


def job_name(index: int) -> tuple[str, str]:
    return f"tenant_{index % TENANTS:02}", f"asset_{index:05}"


def _write_ours(folder: Path, cron: str) -> None:
    lines = ["runner:", "  orchestrator:", "    concurrency_per_tenant: 10", "    schedules:"]
    for index in range(SCHEDULES):
        tenant, asset = job_name(index)
        path = folder / "jobs" / tenant / f"{asset}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"asset: {asset}\ncommand: [{', '.join(map(repr, STAMP))}]\n")
        lines += [
            f"      - name: {asset}_daily",
            f"        config: jobs/{tenant}/{asset}.yaml",
            f'        cron: "{cron}"',
        ]
    (folder / "runner.yaml").write_text("\n".join(lines) + "\n")


def _write_theirs(folder: Path, cron: str) -> None:
    (folder / "definitions.py").write_text(
        f"""
import subprocess
import dagster as dg

def build(tenant, name):
    @dg.asset(key=[tenant, name], group_name=tenant)
    def asset():
        subprocess.run({STAMP!r}, check=True)

    job = dg.define_asset_job(f"{{name}}_job", selection=[asset])
    schedule = dg.ScheduleDefinition(
        name=f"{{name}}_daily", job=job, cron_schedule={cron!r},
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return asset, job, schedule

built = [build(*name) for name in {[job_name(index) for index in range(SCHEDULES)]!r}]
assets, jobs, schedules = zip(*built)
defs = dg.Definitions(assets=assets, jobs=jobs, schedules=schedules)
"""
    )


def _ours(port: int) -> tuple[str, ...]:
    return (str(Path(sys.executable).parent / "orchestrate"), "dev", "--port", str(port))


def _theirs(port: int) -> tuple[str, ...]:
    dagster = str(Path(sys.executable).parent / "dagster")
    return (dagster, "dev", "-f", "definitions.py", "--host", "127.0.0.1", "--port", str(port))


@contextmanager
def _running(
    argv: tuple[str, ...], folder: Path, home: Path
) -> Generator[tuple[psutil.Process, str]]:
    home.mkdir(parents=True)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=environ(DAGSTER_HOME=str(home), DAGSTER_DISABLE_TELEMETRY="1"),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield psutil.Process(process.pid), f"http://127.0.0.1:{argv[-1]}/server_info"
        except BaseException:
            print((folder / "log").read_text()[-5000:], file=sys.stderr)
            raise
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=120)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_up(url: str, due: datetime) -> None:
    while True:
        try:
            urlopen(url, timeout=10).close()
        except OSError:
            time.sleep(0.5)
        else:
            break
    assert datetime.now(UTC) < due - timedelta(seconds=15), "it was up too late"


def _wait_for_stamps(path: Path, due: datetime) -> list[float]:
    while True:
        stamps = path.read_text().split() if path.exists() else []
        if len(stamps) == SCHEDULES:
            return [float(stamp) for stamp in stamps]
        assert time.time() < due.timestamp() + _LIMIT_SECONDS, f"{len(stamps)} have started"
        time.sleep(0.5)


def _mean_steps(home: Path, due: datetime) -> dict[str, float]:
    import dagster as dg

    waits: dict[str, list[float]] = defaultdict(list)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for run in instance.get_runs():
            at = {
                entry.dagster_event_type: entry.timestamp for entry in instance.all_logs(run.run_id)
            }
            named = {
                kind.value.replace("PIPELINE", "RUN"): time for kind, time in at.items() if kind
            }
            instants = [due.timestamp(), *(named[step] for step in STEPS[1:])]
            for step, before, after in zip(STEPS[1:], instants, instants[1:], strict=False):
                waits[step].append(after - before)
    return {step: mean(values) for step, values in waits.items()}


def _cpu(process: psutil.Process) -> dict[str, float]:
    """CPU seconds of the whole tree by role; `run workers` are those that have ended too."""
    found: dict[str, float] = defaultdict(float)
    for one in (process, *process.children(recursive=True)):
        used = one.cpu_times()
        found[_role(one.cmdline())] += used.user + used.system
        found["run workers"] += used.children_user + used.children_system
    return dict(found)


def _role(argv: list[str]) -> str:
    words = " ".join(argv)
    roles = {"webserver": "web server", "_daemon": "daemon", "daemon run": "daemon"}
    return next((role for sign, role in roles.items() if sign in words), "code server and rest")
