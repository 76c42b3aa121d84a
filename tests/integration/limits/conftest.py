"""One running `orchestrate dev` for each storage, and the waves of runs that it is given.

The tests judge what the commands themselves wrote down, and what the instance says of the runs.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

ORCHESTRATE = Path(sys.executable).with_name("orchestrate")
STAMP = Path(__file__).with_name("stamp.py")
SCHEDULED = {"acme": 7, "globex": 13, "initech": 20}
"""The tenants with schedules, and how many jobs each of them has; together forty."""
DUE_AGAIN = {"acme": 3, "globex": 5, "initech": 7}
PRESSED = {"acme": 5, "globex": 8, "initech": 10}
BACKFILLED = {"soylent": 4, "tyrell": 6, "vandelay": 8}
BY_PRIORITY = {"hooli": 4, "wayne": 4}
STRIPE_JOBS, STRIPE_LIMIT = 3, 2
"""So many jobs of each scheduled tenant read from `stripe`, which takes so many runs at once."""
OTHERS = {"umbrella": 10}
BLOCKER = "umbrella/blocker"
WORK_SECONDS = 0.7
"""So long a job takes at least. It goes on until its gate is open, so that all that may run at once
does so, however slow the machine is.
"""
SECRETS = {"acme": "sesame-of-acme", "globex": "sesame-of-globex", "initech": "sesame-of-initech"}
LAUNCH = """
mutation($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on PythonError { message stack }
  }
}"""
BACKFILL = """
mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on PythonError { message stack }
  }
}"""
RUNS = """
query($filter: RunsFilter!) {
  runsOrError(filter: $filter, limit: 500) {
    ... on Runs { results { runId status creationTime tags { key value } } }
  }
}"""
QUEUE = "{ instance { runQueueConfig { maxConcurrentRuns tagConcurrencyLimitsYaml } } }"
REPOSITORY = {"repositoryLocationName": "orchestration", "repositoryName": "__repository__"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One process of a job, as it stamped itself: `named` is the job that its command names, `told`
    the one that it was told to be. Times are in seconds.
    """

    named: str
    told: str
    run_id: str
    token: str
    start: float
    end: float

    @property
    def tenant(self) -> str:
        return self.named.partition("/")[0]

    @property
    def is_stripe(self) -> bool:
        return self.tenant in SCHEDULED and self.named in job_ids(self.tenant, STRIPE_JOBS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as the instance has it. `created` is when it came to the queue."""

    created: float
    tags: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """The runs that were launched for one purpose; `expected` are the jobs, each as often as it was
    to run.
    """

    expected: list[str]
    runs: dict[str, Run]
    works: list[Work]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A limit that was changed in the file: when, and when the queue went by it."""

    done_at: float
    in_force_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything that happened. `changes` are in order: the limit of `umbrella` raised and lowered,
    then twice that of the instance. `stored` is what the instance has kept, wherever it did.
    """

    works: list[Work]
    waves: dict[str, Wave]
    changes: list[Change]
    stored: bytes


def wait_for(look: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """What `look` returns once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come within {seconds} s")
        time.sleep(0.25)
    return found


GATES = {
    tenant: f"gate-{number}"
    for number, tenants in enumerate((SCHEDULED, BACKFILLED, BY_PRIORITY, OTHERS))
    for tenant in tenants
}


def job_ids(tenant: str, count: int) -> list[str]:
    return [f"{tenant}/job_{number:02}" for number in range(count)]


def all_job_ids(counts: dict[str, int]) -> list[str]:
    return [*chain.from_iterable(job_ids(tenant, count) for tenant, count in counts.items())]


def soon_enough() -> datetime:
    """A full minute, after what it takes to start, and some of what comes before the tick."""
    return (datetime.now(UTC) + timedelta(seconds=105)).replace(second=0, microsecond=0)


@dataclass
class Files:
    """The workspace in `root`, as it is now. All scheduled jobs are due at `first`, and some of them
    a minute later again.

    The daemon looks for new schedules once a minute and does not fire those that it has not seen
    before, so they stand in the file from the beginning.
    """

    root: Path
    postgres: bool
    first: datetime = field(default_factory=soon_enough)
    umbrella_limit: int = 1
    max_concurrent_runs: int = 20

    @property
    def second(self) -> datetime:
        return self.first + timedelta(minutes=1)

    def write(self) -> None:
        for job_id in all_job_ids(SCHEDULED | BACKFILLED | BY_PRIORITY | OTHERS):
            self._write_job(job_id, GATES[job_id.partition("/")[0]])
        self._write_job(BLOCKER, "gate-of-the-blocker")
        secret = self.root / "secrets" / "TOKEN"
        secret.parent.mkdir()
        secret.write_text(f"{SECRETS['initech']}\n")
        secret.chmod(0o400)
        self.write_runner()

    def postpone(self) -> None:
        """Move the ticks where the start of everything took so long that the first would be missed."""
        if datetime.now(UTC) > self.first - timedelta(seconds=15):
            self.first = soon_enough()
            self.write_runner()

    def write_runner(self) -> None:
        """In one step, so that nobody reads half of it."""
        storage = "  postgres_url: ${DATABASE_URL}\n" if self.postgres else ""
        schedules = "".join(self._render_schedules())
        text = f"""\
runner:
{storage}  connectors: {{stripe: {{concurrency: {STRIPE_LIMIT}}}}}
  tenants:
    acme: {{concurrency: 1, secrets: {{provider: env, prefix: ACME_}}}}
    globex: {{concurrency: 2, secrets: {{provider: env, prefix: GLOBEX_}}}}
    initech: {{concurrency: 3, secrets: {{provider: file, path: secrets}}}}
    tyrell: {{concurrency: 2}}
    vandelay: {{concurrency: 3}}
    umbrella: {{concurrency: {self.umbrella_limit}}}
    hooli: {{concurrency: 9, priority: high}}
    wayne: {{concurrency: 9, priority: low}}
  orchestrator:
    max_concurrent_runs: {self.max_concurrent_runs}
    schedules:
{schedules}
"""
        (self.root / "new").write_text(text)
        (self.root / "new").rename(self.root / "runner.yaml")

    def _render_schedules(self) -> Iterator[str]:
        for wave, tick, jobs in (
            ("tick", self.first, SCHEDULED),
            ("all", self.second, DUE_AGAIN),
        ):
            for job_id in all_job_ids(jobs):
                yield (
                    f"      - name: {wave}_{job_id.replace('/', '_')}\n"
                    f"        config: jobs/{job_id}.yaml\n"
                    f"        tags: {{wave: {wave}}}\n"
                    f'        cron: "{tick.minute} {tick.hour} * * *"\n'
                )

    def _write_job(self, job_id: str, gate: str) -> None:
        tenant, _, name = job_id.partition("/")
        file = self.root / "jobs" / tenant / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-I", "-S", str(STAMP), "record", job_id, str(WORK_SECONDS), gate]
        is_stripe = tenant in SCHEDULED and job_id in job_ids(tenant, STRIPE_JOBS)
        file.write_text(
            f"asset: {name}\ncommand: {json.dumps(argv)}\n"
            + ("source_connector: stripe\n" if is_stripe else "")
            + ("env: {TOKEN: '${TOKEN}'}\n" if tenant in SECRETS else "")
        )


@dataclass
class System:
    """A running `orchestrate dev` of the workspace, and the waves that have ended."""

    files: Files
    url: str
    waves: dict[str, tuple[list[str], dict[str, Run]]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.url}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["data"]

    def materialize(self, wave: str, *jobs: str) -> None:
        """One run of these jobs, launched as the button of the UI does."""
        assets = [{"path": job.split("/")} for job in jobs]
        params = {
            "selector": {**REPOSITORY, "jobName": "__ASSET_JOB", "assetSelection": assets},
            "runConfigData": {},
            "executionMetadata": {"tags": [{"key": "wave", "value": wave}]},
        }
        launched = self.ask(LAUNCH, params=params)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched

    def backfill(self, wave: str, *jobs: str) -> None:
        """A backfill of these jobs; the daemon launches its run, within half a minute."""
        params = {
            "partitionsByAssets": [{"assetKey": {"path": job.split("/")}} for job in jobs],
            "tags": [{"key": "wave", "value": wave}],
        }
        launched = self.ask(BACKFILL, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def change(self, name: str, value: int) -> None:
        """Change a limit in runner.yaml, and wait until the queue goes by it."""
        setattr(self.files, name, value)
        self.files.write_runner()
        done_at = time.time()
        wanted = (self.files.umbrella_limit, self.files.max_concurrent_runs)
        wait_for(lambda: self._limits() == wanted, seconds=60, what="the new limit")
        self.changes.append(Change(done_at=done_at, in_force_at=time.time()))

    def _limits(self) -> tuple[int, int]:
        config = self.ask(QUEUE)["instance"]["runQueueConfig"]
        limits = yaml.safe_load(config["tagConcurrencyLimitsYaml"])
        by_key = {limit["key"]: limit["limit"] for limit in limits}
        return by_key[".dagster/orchestration/tenant/umbrella"], config["maxConcurrentRuns"]

    def finish(self, wave: str, runs: int, jobs: Iterable[str]) -> None:
        """Wait until the wave has so many runs, and all have succeeded."""

        def ended() -> list[dict[str, Any]] | None:
            filters = {"tags": [{"key": "wave", "value": wave}]}
            found = self.ask(RUNS, filter=filters)["runsOrError"]["results"]
            assert not [run for run in found if run["status"] in ("FAILURE", "CANCELED")]
            is_done = all(run["status"] == "SUCCESS" for run in found)
            return found if is_done and len(found) >= runs else None

        found = wait_for(ended, seconds=300, what=f"the end of wave {wave}")
        assert len(found) == runs
        self.waves[wave] = (sorted(jobs), {run["runId"]: parse_run(run) for run in found})

    def works(self) -> list[Work]:
        """All processes that have ended."""
        started = dict[tuple[str, ...], float]()
        works = []
        for line in self._stamps():
            what, at, *who = line.split()
            named, told, run_id, token = who
            if what == "start":
                assert (named, run_id) not in started, f"{named} ran twice in run {run_id}"
                started[named, run_id] = int(at) / 1e9
                continue
            work = Work(
                named=named,
                told=told,
                run_id=run_id,
                token=token,
                start=started[named, run_id],
                end=int(at) / 1e9,
            )
            works.append(work)
        return works

    def open_gate(self, tenant: str) -> None:
        """Let the processes of all tenants with the same gate end."""
        (self.files.root / GATES[tenant]).touch()

    def close_gate(self, tenant: str) -> None:
        (self.files.root / GATES[tenant]).unlink()

    def wait_until_full(self, **limits: int) -> None:
        """Wait until so many processes of each tenant run at once."""

        def under_way(tenant: str) -> int:
            own = [line.split()[0] for line in self._stamps() if f" {tenant}/" in line]
            return own.count("start") - own.count("end")

        def is_full() -> bool:
            return {tenant: under_way(tenant) for tenant in limits} == limits

        wait_for(is_full, seconds=120, what=f"as many processes as {limits}")

    def _stamps(self) -> list[str]:
        record = self.files.root / "record"
        return record.read_text().splitlines() if record.exists() else []


def parse_run(run: dict[str, Any]) -> Run:
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    return Run(created=run["creationTime"], tags=tags)


def change_a_limit(system: System) -> None:
    """The limit of `umbrella` is raised while its runs wait, and lowered before the last ones come."""
    jobs = all_job_ids(OTHERS)
    for job_id in jobs[:-4]:
        system.materialize("change", job_id)
    system.wait_until_full(umbrella=1)
    system.change("umbrella_limit", 3)
    system.wait_until_full(umbrella=3)
    system.change("umbrella_limit", 1)
    system.open_gate("umbrella")
    for job_id in jobs[-4:]:
        system.materialize("change", job_id)


def launch_backfills(system: System) -> Callable[[], None]:
    """A backfill for each job, and one over jobs of three tenants; what waits for their end."""
    jobs = all_job_ids(BACKFILLED)
    across = [job_ids(tenant, 1)[0] for tenant in BACKFILLED]
    for job_id in jobs:
        system.backfill("backfill", job_id)

    def finish() -> None:
        system.wait_until_full(soylent=1, tyrell=2, vandelay=3)
        # Only now, since it takes a slot of each tenant while a single process of it runs.
        system.backfill("backfill", *across)
        system.open_gate("soylent")
        system.finish("backfill", len(jobs) + 1, [*jobs, *across])

    return finish


def finish_scheduled(system: System, wave: str, runs: int, jobs: Iterable[str]) -> None:
    """Keep the gate closed until every tenant has as many processes as it may, then let them go."""
    system.wait_until_full(acme=1, globex=2, initech=3)
    system.open_gate("acme")
    system.finish(wave, runs, jobs)


def press_buttons(system: System, wave: str) -> list[tuple[str, ...]]:
    """Runs of single assets, of several of a tenant, and of one of each tenant; the jobs of each."""
    jobs = {tenant: job_ids(tenant, count) for tenant, count in PRESSED.items()}
    selections = [(job_id,) for own in jobs.values() for job_id in own[2:]]
    selections += [tuple(own[:2]) for own in jobs.values()]
    selections.append(tuple(own[-1] for own in jobs.values()))
    for selection in selections:
        system.materialize(wave, *selection)
    return selections


def launch_all_at_once(system: System) -> None:
    """The second tick while the button is pressed and the daemon works on backfills."""
    backfilled = [job_id for job in SCHEDULED.items() for job_id in job_ids(*job)[-2:]]
    due = all_job_ids(DUE_AGAIN)
    system.close_gate("acme")
    for job_id in backfilled:
        system.backfill("all", job_id)
    soon = system.files.second - timedelta(seconds=2)
    wait_for(lambda: datetime.now(UTC) > soon, seconds=90, what="the second tick")
    pressed = press_buttons(system, "all")
    runs = len(due) + len(backfilled) + len(pressed)
    finish_scheduled(system, "all", runs, [*due, *backfilled, *chain.from_iterable(pressed)])


def fill_the_instance(system: System) -> None:
    """There is room for four runs, then for one; of what waits, the low priorities came first."""
    system.change("max_concurrent_runs", 4)
    jobs = all_job_ids(BY_PRIORITY)
    for job_id in jobs:
        system.materialize("cap", job_id)
    system.wait_until_full(hooli=4, wayne=0)
    system.open_gate("hooli")
    system.finish("cap", len(jobs), jobs)
    system.change("max_concurrent_runs", 1)
    system.materialize("priority", BLOCKER)
    system.wait_until_full(umbrella=1)
    waiting = [*job_ids("wayne", 2), *job_ids("umbrella", 2), *job_ids("hooli", 2)]
    for job_id in waiting:
        system.materialize("priority", job_id)
    (system.files.root / "gate-of-the-blocker").touch()
    system.finish("priority", 1 + len(waiting), [BLOCKER, *waiting])


@contextmanager
def running(files: Files, environ: dict[str, str]) -> Iterator[System]:
    """`orchestrate dev` of the workspace. Where the block fails, its logs are shown."""
    output = files.root / "output"
    with output.open("w") as file:
        process = subprocess.Popen(
            [ORCHESTRATE, "dev", "--port", "0"],
            cwd=files.root,
            stdout=file,
            stderr=file,
            env=environ,
        )
    try:
        find_url = re.compile(r"http://\S+").search
        url = wait_for(lambda: find_url(output.read_text()), seconds=90, what="the UI")
        yield System(files=files, url=url[0])
    except BaseException:
        for log in (output, *(files.root / ".orchestrate" / "logs").iterdir()):
            sys.stderr.write(f"=== {log.name}\n{log.read_text()[-4000:]}\n")
        raise
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=30)
    assert code == 0, output.read_text()


def stored_bytes(root: Path) -> bytes:
    """All that the instance has kept in files: index, events, runs, logs."""
    kept = (path for path in (root / ".orchestrate").rglob("*") if path.is_file())
    return b"\n".join(path.read_bytes() for path in kept)


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def record(request, tmp_path_factory) -> Record:
    """What happened in one instance with that storage, from its start to its end."""
    root = tmp_path_factory.mktemp(request.param)
    environ = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    environ |= {"ACME_TOKEN": SECRETS["acme"], "GLOBEX_TOKEN": SECRETS["globex"]}
    server = database = None
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
        database = environ["DATABASE_URL"] = server.create_database()
    files = Files(root=root, postgres=server is not None)
    files.write()
    with running(files, environ) as system:
        files.postpone()
        finish_backfills = launch_backfills(system)
        change_a_limit(system)
        finish_scheduled(system, "tick", 40, all_job_ids(SCHEDULED))
        finish_backfills()
        system.finish("change", 10, all_job_ids(OTHERS))
        launch_all_at_once(system)
        fill_the_instance(system)
    works = system.works()
    waves = {
        name: Wave(expected=jobs, runs=runs, works=[work for work in works if work.run_id in runs])
        for name, (jobs, runs) in system.waves.items()
    }
    stored = stored_bytes(root) + (server.dump(database) if server else b"")
    return Record(works=works, waves=waves, changes=system.changes, stored=stored)
