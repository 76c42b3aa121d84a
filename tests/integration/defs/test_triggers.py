"""All triggers in a real daemon with a real code server, which is stopped and killed on the way.

The jobs write down who they are; the instance says which run stands for which tick.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import ScheduleInstigatorData

INSTANCE = """\
telemetry: {{enabled: false}}
run_coordinator:
  module: orchestration.defs.coordinator
  class: OrchestrationRunCoordinator
  config: {{index_file: {root}/.orchestrate/index.json, dequeue_interval_seconds: 1}}
schedules: {{use_threads: true, num_workers: 4}}
sensors: {{use_threads: true, num_workers: 4}}
"""
WORKSPACE = """\
load_from:
  - grpc_server: {{socket: {root}/code, location_name: orchestration}}
"""
RUNNER = """\
runner:
  tenants: {{acme: {{concurrency: 4}}, globex: {{concurrency: 3}}, initech: {{concurrency: 3}}}}
  orchestrator:
    max_concurrent_runs: 6
    schedules:
      - {{name: all, config: jobs/acme/all.yaml, cron: "{missed}", catch_up: all,
         catch_up_window: 11m, max_concurrent_runs: 2}}
      - {{name: latest, config: jobs/globex/latest.yaml, cron: "{missed}"}}
      - {{name: none, config: jobs/initech/none.yaml, cron: "{long_missed}", catch_up: none}}
      - {{name: minute, config: jobs/acme/minute.yaml, cron: "* * * * *", priority: high}}
      - {{name: closed, config: jobs/globex/closed.yaml, cron: "* * * * *", end: 2026-01-01}}
      - {{name: idle, config: jobs/initech/idle.yaml, cron: "* * * * *", enabled: false}}
      - {{name: grid, config: jobs/acme/grid.yaml, interval_seconds: 25}}
      - {{name: once, config: jobs/globex/once.yaml, once: "first"}}
      - {{name: never, config: jobs/acme/never.yaml, once: "first", enabled: false}}
      - {{name: again, config: jobs/globex/again.yaml, continuous: true, minimum_gap_seconds: 12,
         error_backoff_seconds: 600}}
      - {{name: fails, config: jobs/initech/fails.yaml, continuous: true, minimum_gap_seconds: 1,
         error_backoff_seconds: 600}}
      - {{name: after, config: jobs/initech/after.yaml, after_completion_seconds: 12}}
      - {{name: follows, config: jobs/initech/follows.yaml, on_asset: acme/minute}}
"""
JOBS = {
    "acme": ("all", "minute", "grid", "never"),
    "globex": ("latest", "closed", "once", "again"),
    "initech": ("none", "idle", "fails", "after", "follows"),
}
AGO = (17, 15, 13, 11, 9, 7, 5, 3)
"""How many minutes ago the ticks were that nobody was there to fire."""


def wait_for(look, *, seconds: float, what: str):
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come within {seconds} s")
        time.sleep(0.2)
    return found


@dataclass
class System:
    """The processes of Dagster around one workspace, each in the folder `root`."""

    root: Path
    processes: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        environ = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        self._environ = environ | {
            "DAGSTER_HOME": str(self.root / "home"),
            "ORCHESTRATE_RUNNER": str(self.root / "runner.yaml"),
        }

    def start(self, program: str, *arguments: str) -> subprocess.Popen:
        log = (self.root / f"{program}.log").open("a")
        process = subprocess.Popen(
            [Path(sys.executable).with_name(program), *arguments],
            cwd=self.root,
            env=self._environ,
            stdout=log,
            stderr=log,
        )
        self.processes.callback(log.close)
        self.processes.callback(process.wait)
        self.processes.callback(process.kill)
        return process

    def start_code_server(self) -> None:
        self.start(
            "dagster",
            *("code-server", "start", "--socket", str(self.root / "code")),
            *("-m", "orchestration.definitions"),
        )
        wait_for((self.root / "code").exists, seconds=180, what="the code server")

    def start_daemon(self) -> subprocess.Popen:
        return self.start("dagster-daemon", "run", "-w", str(self.root / "workspace.yaml"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as its tags and its process have it: the job it was to be, and the one it was."""

    schedule: str
    job: str
    command: str
    instant: datetime | None
    key: str | None
    priority: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything that happened, from `start` on; `now` is the moment that the ticks count from."""

    now: datetime
    start: datetime
    end: datetime
    runs: tuple[Run, ...]
    skips: dict[str, set[str]]
    created: Counter[str]

    def of(self, schedule: str) -> list[Run]:
        return [run for run in self.runs if run.schedule == schedule]


def write_workspace(root: Path, now: datetime) -> None:
    minutes = sorted((now - timedelta(minutes=ago)).minute for ago in AGO)
    long_ago = sorted((now - timedelta(minutes=ago)).minute for ago in AGO if ago > 6)
    for tenant, names in JOBS.items():
        for name in names:
            file = root / "jobs" / tenant / f"{name}.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            line = f"{tenant}/{name} $ORCHESTRATE_JOB $ORCHESTRATE_RUN_ID $TRACEPARENT"
            end = "; exit 2" if name == "fails" else ""
            script = f"echo {line} >> {root}/record{end}"
            file.write_text(f"asset: {name}\ncommand: [sh, -c, '{script}']\n")
    (root / "runner.yaml").write_text(
        RUNNER.format(
            missed=f"{','.join(map(str, minutes))} * * * *",
            long_missed=f"{','.join(map(str, long_ago))} * * * *",
        )
    )
    (root / "home").mkdir()
    (root / "home" / "dagster.yaml").write_text(INSTANCE.format(root=root))
    (root / "workspace.yaml").write_text(WORKSPACE.format(root=root))


def turned_on_earlier(instance: dg.DagsterInstance, names: set[str]) -> None:
    """As if these schedules had been turned on half an hour ago, and the daemon down since then."""
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        if state.instigator_name in names:
            earlier = ScheduleInstigatorData(
                state.instigator_data.cron_schedule, state.instigator_data.start_timestamp - 1800
            )
            instance.update_instigator_state(state.with_data(earlier))


def known(instance: dg.DagsterInstance) -> set[str]:
    return {state.instigator_name for state in instance.all_instigator_state()}


def count(instance: dg.DagsterInstance, schedule: str, *statuses: dg.DagsterRunStatus) -> int:
    tags = {"orchestration/schedule": schedule}
    return instance.get_runs_count(dg.RunsFilter(tags=tags, statuses=list(statuses)))


def read_runs(instance: dg.DagsterInstance, root: Path) -> tuple[Run, ...]:
    lines = [line.split() for line in (root / "record").read_text().splitlines()]
    found = []
    for command, told, run_id, traceparent in lines:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert told == f"{run.tags['tenant']}/{run.tags['job_name']}"
        assert traceparent == run.tags["orchestration/traceparent"]
        assert traceparent.split("-")[1] == run_id.replace("-", "")
        instant = run.tags.get("orchestration/scheduled_at")
        found.append(
            Run(
                schedule=run.tags["orchestration/schedule"],
                job=told,
                command=command,
                instant=datetime.fromisoformat(instant) if instant else None,
                key=run.tags.get("dagster/run_key"),
                priority=run.tags.get("dagster/priority"),
            )
        )
    return tuple(found)


def read_skips(instance: dg.DagsterInstance) -> dict[str, set[str]]:
    return {
        state.instigator_name: {
            tick.skip_reason
            for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id)
            if tick.skip_reason
        }
        for state in instance.all_instigator_state()
    }


def live(system: System, instance: dg.DagsterInstance) -> None:
    """The daemon is stopped and comes back half an hour later, is killed while it catches up, and
    comes back again.
    """
    sensors = {f"{name}__sensor" for name in ("grid", "once", "again", "fails", "after", "follows")}
    schedules = {"all", "latest", "none", "minute", "closed"}
    system.start_code_server()
    daemon = system.start_daemon()
    wait_for(lambda: known(instance) >= schedules | sensors, seconds=180, what="the first look")
    daemon.terminate()
    daemon.wait(timeout=60)
    turned_on_earlier(instance, {"all", "latest", "none"})
    daemon = system.start_daemon()
    wait_for(lambda: count(instance, "all") >= 2, seconds=180, what="the catching up")
    daemon.kill()
    daemon.wait()
    daemon = system.start_daemon()
    done = dg.DagsterRunStatus.SUCCESS
    wanted = {"all": 5, "latest": 1, "grid": 3, "after": 3, "again": 3, "follows": 1, "once": 1}
    for name, number in wanted.items():
        wait_for(
            lambda name=name, number=number: count(instance, name, done) >= number,
            seconds=150,
            what=f"{number} runs of {name}",
        )
    daemon.terminate()
    daemon.wait(timeout=60)
    active = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    wait_for(
        lambda: not instance.get_runs_count(dg.RunsFilter(statuses=active)),
        seconds=60,
        what="the end of all runs",
    )


@pytest.fixture(scope="session")
def record(tmp_path_factory) -> Record:
    root = tmp_path_factory.mktemp("triggers")
    start = datetime.now(UTC)
    now = start.replace(second=0, microsecond=0)
    write_workspace(root, now)
    system = System(root)
    with system.processes, dg.DagsterInstance.from_config(str(root / "home")) as instance:
        live(system, instance)
        return Record(
            now=now,
            start=start,
            end=datetime.now(UTC),
            runs=read_runs(instance, root),
            skips=read_skips(instance),
            created=Counter(run.tags["orchestration/schedule"] for run in instance.get_runs()),
        )


pytestmark = pytest.mark.xdist_group("system")


def test_each_run_is_the_command_of_the_job_that_its_schedule_names(record):
    whose = {name: f"{tenant}/{name}" for tenant, names in JOBS.items() for name in names}

    assert {run.schedule for run in record.runs} == {
        *("all", "latest", "minute", "grid", "once", "again", "fails", "after", "follows")
    }
    for run in record.runs:
        assert run.job == run.command == whose[run.schedule]


def test_with_all_each_tick_of_the_window_that_was_missed_runs_once_despite_the_kill(record):
    expected = [record.now - timedelta(minutes=ago) for ago in AGO if ago <= 3 + 11]

    assert Counter(run.instant for run in record.of("all")) == Counter(expected)
    assert {run.key for run in record.of("all")} == {instant.isoformat() for instant in expected}
    assert record.created["all"] == len(expected)


def test_with_latest_the_newest_tick_that_was_missed_runs_once(record):
    assert [run.instant for run in record.of("latest")] == [record.now - timedelta(minutes=3)]


def test_with_none_a_tick_that_is_late_is_skipped_and_says_so(record):
    [reason] = record.skips["none"]

    assert reason.endswith("late, and `catch_up: none` runs none later than 5m")


def test_a_tick_after_the_end_of_the_window_is_skipped_and_says_so(record):
    assert record.skips["closed"] == {"schedule `closed` ended at 2026-01-01 00:00+00:00"}


def test_each_minute_runs_once_with_the_priority_of_its_schedule(record):
    instants = [run.instant for run in record.of("minute")]

    assert len(set(instants)) == len(instants) >= 1
    assert {run.priority for run in record.of("minute")} == {"10"}
    assert {run.priority for run in record.of("grid")} == {None}


def test_ticks_of_a_grid_lie_on_it_and_each_runs_once(record):
    instants = sorted(run.instant for run in record.of("grid"))

    assert len(set(instants)) == len(instants)
    assert {instant.timestamp() % 25 for instant in instants} == {0}
    assert {run.key for run in record.of("grid")} == {
        f"grid {instant.isoformat()}" for instant in instants
    }


def test_a_generation_runs_once_through_all_restarts(record):
    assert [run.key for run in record.of("once")] == ["once first"]


@pytest.mark.parametrize("schedule", ["after", "again"])
def test_a_job_that_follows_itself_begins_at_once_and_has_one_run_for_each_run(record, schedule):
    keys = [run.key for run in record.of(schedule)]

    assert keys[0].startswith(f"{schedule} first of ")
    assert len(set(keys)) == len(keys)
    assert all(key.startswith("after ") for key in keys[1:])


def test_a_job_that_fails_waits_for_its_back_off(record):
    assert [run.key for run in record.of("fails")] == ["fails first of initech/fails"]
    assert any("which failed once" in reason for reason in record.skips["fails__sensor"])


def test_an_update_of_an_asset_runs_what_waits_for_it_and_no_update_twice(record):
    keys = [run.key for run in record.of("follows")]

    assert 1 <= len(keys) <= len(record.of("minute"))
    assert len(set(keys)) == len(keys)
