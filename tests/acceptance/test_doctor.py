"""`orchestrate doctor` with a live instance on PostgreSQL that is made to differ from its files."""

import json
import re
import signal
import urllib.request

import psutil
import pytest

pytestmark = pytest.mark.xdist_group("system")

POSTGRES = "  postgres_url: ${DATABASE_URL}\n"
STATE = """{ schedulesOrError(repositorySelector: {
    repositoryName: "__repository__", repositoryLocationName: "orchestration"
  }) { ... on Schedules { results { name scheduleState { id selectorId } } } } }"""
SIGNS_OF_LIFE = """{ instance { daemonHealth {
    allDaemonStatuses { required lastHeartbeatTime } } } }"""
SWITCH = {
    "stop": """mutation($id: String!) {
      stopRunningSchedule(id: $id) { ... on ScheduleStateResult { scheduleState { status } } } }""",
    "reset": """mutation($selector: ScheduleSelector!) {
      resetSchedule(scheduleSelector: $selector) { __typename } }""",
}


def ask(url, query, **variables):
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(
        f"{url}/graphql", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        reply = json.load(answer)
    assert not reply.get("errors"), reply
    return reply["data"]


def pause(url, name):
    """Switches a schedule off as a person does in the UI."""
    found = ask(url, STATE)["schedulesOrError"]["results"]
    [state] = [schedule["scheduleState"] for schedule in found if schedule["name"] == name]
    done = ask(url, SWITCH["stop"], id=state["id"])["stopRunningSchedule"]
    assert done == {"scheduleState": {"status": "STOPPED"}}


def every_daemon_lives(url):
    """Whether each part of the daemon has given its first sign of life."""
    statuses = ask(url, SIGNS_OF_LIFE)["instance"]["daemonHealth"]["allDaemonStatuses"]
    return all(found["lastHeartbeatTime"] for found in statuses if found["required"])


def resume(url, name):
    selector = {
        "repositoryName": "__repository__",
        "repositoryLocationName": "orchestration",
        "scheduleName": name,
    }
    ask(url, SWITCH["reset"], selector=selector)


@pytest.fixture
def doctor(workspace):
    """Runs `orchestrate doctor`; gives its exit code, and what is not ok by check."""

    def examine():
        done = workspace.run("doctor", "--format", "json")
        rows = done.json
        assert {tuple(row) for row in rows} == {("check", "status", "found", "help")}
        wrong = [(row["check"], row["status"], row["found"]) for row in rows]
        return done.code, [row for row in wrong if row[1] != "ok"]

    return examine


def test_the_live_instance_is_compared_with_the_files(
    workspace, start, doctor, eventually, postgres_url
):
    workspace.edit("runner.yaml", "runner:\n", f"runner:\n{POSTGRES}")
    workspace.environ["DATABASE_URL"] = postgres_url()
    code, wrong = doctor()
    assert (code, [row[:2] for row in wrong]) == (2, [("instance", "error")])

    process, log = start("up", "--port", "0", until=" ready ", seconds=120)
    url = next(word for word in log.read_text().split() if word.startswith("http"))
    eventually(lambda: doctor() == (0, []), seconds=60)
    eventually(lambda: every_daemon_lives(url), seconds=60)  # doctor allows them a while
    [daemon] = [
        found
        for found in psutil.Process(process.pid).children(recursive=True)
        if "dagster._daemon" in found.cmdline()
    ]
    daemon.suspend()  # first, since its silence is told after a while only

    pause(url, "acme_orders")
    paused = "`acme_orders` is enabled in runner.yaml, and paused by hand in the UI"
    assert doctor() == (1, [("schedules", "warning", paused)])
    resume(url, "acme_orders")

    process.send_signal(signal.SIGSTOP)  # so that nobody loads what is saved
    workspace.edit("runner.yaml", "acme: {concurrency: 3", "acme: {concurrency: 2")
    changed = ("limits", "error", "tenant acme: 3 in force, 2 in the files")
    assert doctor() == (2, [changed])
    process.send_signal(signal.SIGCONT)
    eventually(lambda: changed not in doctor()[1], seconds=30)

    def silent():
        code, wrong = doctor()
        return code == 2 and [row for row in wrong if row[0] == "daemons"]

    (_, status, found), *_ = eventually(silent, seconds=150, what="the silence of the daemon")
    assert status == "error"
    assert re.search(r" has given no sign of life for \d+m", found)
    daemon.resume()
    eventually(lambda: doctor() == (0, []), seconds=180)

    table = workspace.run("doctor").out
    assert "\ndatabase       ok     the PostgreSQL database in DATABASE_URL answers" in table
    process.terminate()
    assert process.wait(timeout=60) == 0
