"""`orchestrate dev` as its user meets it: started, edited under, and ended in every way."""

import json
import re
import signal
import socket
import time
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.xdist_group("system")

READY = "Press Ctrl-C to stop everything."
STUBBORN = 'trap "" TERM INT; while :; do sleep 300 & wait; done'
LAUNCH = """
mutation($selector: JobOrPipelineSelector!) {
  launchRun(executionParams: {selector: $selector, runConfigData: {}}) { __typename }
}"""
SCHEDULES = """{
  schedulesOrError(repositorySelector: {
    repositoryName: "__repository__", repositoryLocationName: "orchestration"
  }) { ... on Schedules { results { cronSchedule scheduleState { status } } } }
}"""


@pytest.fixture
def dev(workspace, start):
    """A started `orchestrate dev` on a free port; gives its process, log and address."""
    environ = {"ORCHESTRATE_RUNNER": str(workspace.folder / "runner.yaml")}
    process, log = start("dev", "--port", "0", until=READY, seconds=120, **environ)
    [url] = re.findall(r"http://localhost:\d+", log.read_text())
    return process, log, url


@pytest.fixture
def left(workspace, marked):
    """The processes of a workspace that are running: all that dev has started, and dev."""
    return lambda: marked("ORCHESTRATE_RUNNER", str(workspace.folder / "runner.yaml"))


def answers(url):
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def ask(url, query, **variables):
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(
        f"{url}/graphql", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def schedules(url):
    found = ask(url, SCHEDULES)["schedulesOrError"].get("results", [])
    return {(s["cronSchedule"], s["scheduleState"]["status"]) for s in found}


def test_dev_runs_everything_takes_up_edits_and_ends_on_ctrl_c(workspace, dev, left, eventually):
    process, log, url = dev
    assert answers(url)
    assert "jobs       3 of 3 tenants: acme 1, globex 1, initech 1\n" in log.read_text()
    assert schedules(url) == {("0 3 * * *", "RUNNING"), ("0 4 * * *", "STOPPED")}

    workspace.edit("runner.yaml", "0 3 * * *", "30 5 * * *")
    workspace.edit("runner.yaml", "enabled: false", "enabled: true")
    edited = {("30 5 * * *", "RUNNING"), ("0 4 * * *", "RUNNING")}
    eventually(lambda: schedules(url) == edited, seconds=30)
    assert "reloaded   3 jobs, 2 schedules, 3 tenants\n" in log.read_text()

    (workspace.folder / "jobs/initech/orders.yaml").unlink()
    eventually(lambda: "2 jobs, 2 schedules, 3 tenants" in log.read_text(), seconds=30)

    workspace.edit("runner.yaml", "schedules:", "shedules:")
    eventually(lambda: "unknown key `shedules`" in log.read_text(), seconds=30)
    eventually(lambda: "2 jobs, 2 schedules, 3 tenants; " in log.read_text(), seconds=30)
    eventually(lambda: schedules(url) == edited, seconds=10)

    by_hand = workspace.run("reload")
    assert (by_hand.code, by_hand.out.splitlines()[-1].split(": ")[0]) == (0, f"reloaded {url}")

    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    assert time.monotonic() - started < 10
    assert log.read_text().splitlines()[-1] == "Stopped."
    assert left() == []


def test_nothing_is_left_of_a_dev_that_is_killed_not_even_a_stubborn_job(
    workspace, dev, left, marked, eventually
):
    process, log, url = dev
    workspace.write_job("acme", STUBBORN, name="stubborn")
    eventually(lambda: "reloaded   4 jobs" in log.read_text(), seconds=30)
    selector = {
        "repositoryLocationName": "orchestration",
        "repositoryName": "__repository__",
        "jobName": "__ASSET_JOB",
        "assetSelection": [{"path": ["acme", "stubborn"]}],
    }
    eventually(
        lambda: ask(url, LAUNCH, selector=selector)["launchRun"]["__typename"] == "LaunchRunSuccess"
    )
    eventually(lambda: marked("ORCHESTRATE_JOB", "acme/stubborn"))

    process.kill()

    eventually(lambda: left() == [], seconds=20)
    assert workspace.run("reload").err.startswith(
        "error ORC623: neither `orchestrate up` nor `dev` is running with the state directory"
    )


def test_a_process_that_dies_ends_everything_with_its_name_and_log(workspace, dev, left):
    process, log, _ = dev
    [webserver] = [p for p in left() if p.cmdline()[1:4] == ["-P", "-m", "dagster_webserver"]]

    again = workspace.run("dev", "--port", "0")
    webserver.kill()

    assert process.wait(timeout=30) == 2
    assert (again.code, again.err.splitlines()[0].split(", at ")[0]) == (
        2,
        "error ORC624: `orchestrate dev` runs for this workspace already",
    )
    logs = workspace.folder / ".orchestrate/logs"
    assert (
        "error ORC625: the process `webserver` ended (killed by signal 9), so everything was"
        f" stopped\n   help: its log is {logs}/webserver.log; it ends with\n\n"
    ) in log.read_text()
    assert left() == []


def test_a_port_in_use_is_an_error_before_anything_starts(workspace, left):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = workspace.run("dev", "--port", str(port))

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"error ORC621: port {port} is in use\n"
        f"   help: try --port {port + 1}, or stop the program that has it\n"
    )
    assert not (workspace.folder / ".orchestrate/dagster/dagster.yaml").exists()


def test_the_ui_is_not_shown_to_other_machines_by_mistake(workspace):
    done = workspace.run("dev", "--host", "0.0.0.0")

    assert (done.code, done.err.splitlines()[0].split(",")[0]) == (
        2,
        "error ORC622: other machines can reach the address `0.0.0.0`",
    )


def test_a_dev_service_that_ends_is_told_and_the_rest_goes_on(workspace, start, left):
    more = "  dev: {services: [{name: rest, command: [no-such-program]}]}\n"
    workspace.write("runner.yaml", (workspace.folder / "runner.yaml").read_text() + more)
    environ = {"ORCHESTRATE_RUNNER": str(workspace.folder / "runner.yaml")}

    process, log = start("dev", "--port", "0", until=READY, seconds=120, **environ)

    assert (
        "the dev service `rest` ended (it could not be started (No such file or directory));"
        " jobs that need it will fail\n"
    ) in log.read_text()
    assert "processes  webserver, code-server, run-server, daemon\n" in log.read_text()
    process.terminate()
    assert process.wait(timeout=30) == 0
    assert left() == []


def test_what_is_under_way_at_ctrl_c_is_repeated_by_the_next_dev_and_counts_for_nothing(
    workspace, dev, start, marked, eventually
):
    process, log, url = dev
    workspace.edit("runner.yaml", "runner:\n", "runner:\n  breaker: {failures: 1}\n")
    for tenant in ("acme", "globex", "initech"):
        script = f"test -e again_{tenant} && exit 0; touch again_{tenant}; exec sleep 300"
        workspace.write_job(tenant, script, name="slow")
    eventually(lambda: "reloaded   6 jobs" in log.read_text(), seconds=30)
    selector = {
        "repositoryLocationName": "orchestration",
        "repositoryName": "__repository__",
        "jobName": "__ASSET_JOB",
        "assetSelection": [{"path": ["globex", "slow"]}],
    }
    assert ask(url, LAUNCH, selector=selector)["launchRun"]["__typename"] == "LaunchRunSuccess"
    eventually(lambda: marked("ORCHESTRATE_JOB", "globex/slow"), seconds=30)

    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0

    rows = workspace.run("breaker", "list", "--format", "json").json
    assert {(row["tenant"], row["failures"]) for row in rows} == {
        ("acme", 0),
        ("globex", 0),
        ("initech", 0),
    }
    environ = {"ORCHESTRATE_RUNNER": str(workspace.folder / "runner.yaml")}
    _, again = start("dev", "--port", "0", until=READY, seconds=120, **environ)
    eventually(lambda: "succeeded  globex/slow" in again.read_text(), seconds=60)
