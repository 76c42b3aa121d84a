"""`orchestrate up` as its operator meets it: processes killed under it, and ended with runs under
way.
"""

import json
import re
import signal
import sqlite3
import time
import urllib.request
from collections import defaultdict
from contextlib import closing, suppress

import psutil
import pytest

from orchestration.cli.dev.home import claim

pytestmark = pytest.mark.xdist_group("system")

TENANTS = ("acme", "globex", "initech")
RUNNER = """\
runner:
  tenants: {acme: {concurrency: 4}, globex: {}, initech: {}}
  orchestrator:
    schedules:
      - {name: acme_tick, config: jobs/acme/orders.yaml, cron: "* * * * *"}
      - {name: globex_tick, config: jobs/globex/orders.yaml, cron: "* * * * *"}
      - {name: initech_tick, config: jobs/initech/orders.yaml, cron: "* * * * *"}
"""
LONG_ONES = """\
      - {name: acme_long, config: jobs/acme/long.yaml, once: 1}
      - {name: globex_long, config: jobs/globex/long.yaml, once: 1}
      - {name: initech_long, config: jobs/initech/long.yaml, once: 1}
      - {name: acme_stubborn, config: jobs/acme/stubborn.yaml, once: 1}
"""
TERMINATE = """mutation { terminateRun(runId: "x") { __typename } }"""
STATUSES = """
SELECT tenant.value, name.value, status FROM runs
JOIN run_tags tenant ON tenant.run_id = runs.run_id AND tenant.key = 'tenant'
JOIN run_tags name ON name.run_id = runs.run_id AND name.key = 'job_name'"""
PROGRAMS = {
    "webserver": "dagster_webserver",
    "code-server": "dagster code-server start",
    "run-server": "orchestration.defs.run_server",
    "daemon": "dagster._daemon",
}
LONG = "touch said/{0}.begun; until test -e said/go; do sleep 0.1; done; touch said/{0}.ended"
STUBBORN = 'trap "" TERM INT; sleep 600 & touch said/stubborn.begun; while :; do wait; done'


class Up:
    """A running `orchestrate up`."""

    def __init__(self, workspace, process, log):
        self.workspace = workspace
        self.process = process
        self.log = log
        ready = next(line for line in log.read_text().splitlines() if " ready " in line)
        self.url = next(word for word in ready.split() if word.startswith("http"))

    def lines(self, kind):
        """The texts of all events of a kind."""
        lines = [line.split(" ", maxsplit=2) for line in self.log.read_text().splitlines()]
        return [text for _, found, text in lines if found == kind]

    def find(self, name):
        """The process of the service, below its guard."""
        for guard in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):  # it has just ended
                for process in guard.children():
                    if PROGRAMS[name] in " ".join(process.cmdline()):
                        return process
        return None

    def answers(self):
        try:
            with urllib.request.urlopen(f"{self.url}/server_info", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def is_read_only(self):
        body = json.dumps({"query": TERMINATE}).encode()
        request = urllib.request.Request(
            f"{self.url}/graphql", data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]["terminateRun"]["__typename"] == "UnauthorizedError"


def statuses(workspace):
    """The statuses of all runs, by their jobs, from the database itself."""
    database = workspace.folder / ".orchestrate/dagster/history/runs.db"
    found = defaultdict(set)
    with closing(sqlite3.connect(database)) as connection:
        for tenant, name, status in connection.execute(STATUSES):
            found[f"{tenant}/{name}"].add(status)
    return found


@pytest.fixture
def begin(workspace, start):
    """Starts `orchestrate up` on a free port."""
    environ = {"ORCHESTRATE_RUNNER": str(workspace.folder / "runner.yaml")}

    def begin(*options):
        process, log = start("up", "--port", "0", *options, until=" ready ", seconds=120, **environ)
        return Up(workspace, process, log)

    return begin


@pytest.fixture
def left(workspace, marked):
    """The processes of the workspace that are running."""
    return lambda: marked("ORCHESTRATE_RUNNER", str(workspace.folder / "runner.yaml"))


def test_what_is_killed_is_started_again_and_a_stop_waits_for_runs_and_then_cancels_them(
    workspace, begin, left, marked, eventually
):
    workspace.write("runner.yaml", RUNNER)
    for tenant in TENANTS:
        workspace.write_job(tenant, f"echo $ORCHESTRATE_TENANT >> said/ticks.{tenant}")
        workspace.write_job(tenant, LONG.format(tenant), name="long")
    workspace.write_job("acme", STUBBORN, name="stubborn", more="grace_period: 1s\n")
    up = begin("--graceful-shutdown-timeout", "15s", "--read-only")
    said = workspace.folder / "said"

    for name in PROGRAMS:
        victim = up.find(name)
        victim.kill()
        eventually(lambda n=name, v=victim: (new := up.find(n)) and new.pid != v.pid, what=name)
    assert up.lines("ended")[0].startswith("webserver (killed by signal 9); it starts again in 1s;")
    eventually(up.answers)
    assert up.is_read_only()
    killed = time.time()
    for tenant in TENANTS:
        ticks = said / f"ticks.{tenant}"
        eventually(lambda f=ticks: f.exists() and f.stat().st_mtime > killed, seconds=150)
        assert set(ticks.read_text().split()) == {tenant}

    workspace.write("runner.yaml", RUNNER + LONG_ONES)
    for name in (*TENANTS, "stubborn"):
        eventually((said / f"{name}.begun").exists, what=name)
    up.process.send_signal(signal.SIGTERM)
    eventually(lambda: up.lines("waiting"))
    (said / "go").touch()

    assert up.process.wait(timeout=60) == 0
    assert left() == []
    assert marked("ORCHESTRATE_JOB", "acme/stubborn") == []
    found = statuses(workspace)
    assert {tenant: found[f"{tenant}/long"] for tenant in TENANTS} == {
        tenant: {"SUCCESS"} for tenant in TENANTS
    }
    assert found["acme/stubborn"] == {"CANCELED"}
    assert all((said / f"{tenant}.ended").exists() for tenant in TENANTS)
    assert up.lines("stopping") == ["the schedules", "everything else"]
    assert up.lines("cancelling") == [
        "the runs that are still under way",
        "acme/stubborn has ended",
    ]
    assert up.lines("stopped") == ["everything"]


def test_a_start_that_is_refused_leaves_no_folder_for_sockets_behind(workspace, tmp_path):
    deep = workspace.folder / ("n" * 100)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    workspace.edit("runner.yaml", "runner:\n", f"runner:\n  state_directory: {deep.name}\n")

    with claim(deep, "up"):
        done = workspace.run("up", "--port", "0", TMPDIR=str(temporary))

    assert done.err.startswith("error ORC")
    assert "runs for this workspace already" in done.err
    assert list(temporary.iterdir()) == []


def test_a_process_that_always_dies_ends_everything_within_a_minute(workspace, left):
    workspace.write(".orchestrate/dagster/dagster.yaml", "storage: {nonsense: {}}\n")

    done = workspace.run("up", "--port", "0", seconds=400)

    [name] = re.findall(r"^error ORC625: the process `(\S+)` ended 6 times", done.err)
    restarts = [line for line in done.out.splitlines() if f" ended {name} " in line]
    assert [line.partition("again in ")[2].partition(";")[0] for line in restarts] == [
        "1s",
        "2s",
        "4s",
        "8s",
        "16s",
    ]
    assert done.code == 2
    assert done.err.splitlines()[0].endswith(
        " within 10m (the last time: exit code 1), so everything was stopped"
    )
    assert "nonsense" in done.err
    assert left() == []
