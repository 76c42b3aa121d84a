import json
import re
import signal
import subprocess
import sys
import time
from uuid import uuid4

import pytest

STUBBORN = """\
trap "" TERM INT; echo ready; sleep 300 & wait; while :; do sleep 300 & wait; done"""


def said(workspace):
    return {file.name: file.read_text() for file in (workspace.folder / "said").iterdir()}


def test_each_job_runs_its_own_command_for_its_own_tenant(workspace):
    codes = [workspace.run("run", f"{tenant}/orders").code for tenant in ("acme", "globex")]
    by_file = workspace.run("run", "jobs/initech/orders.yaml")

    assert (codes, by_file.code) == ([0, 0], 0)
    assert said(workspace) == {
        "acme": "acme acme hello nobody\n",
        "globex": "globex globex \n",
        "initech": "initech initech \n",
    }


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("exit 0", 0, "succeeded"),
        ("exit 1", 1, "partial success"),
        ("exit 2", 2, "failed"),
        ("exit 77", 2, "failed"),
        ("kill -KILL $$", 2, "failed"),
        ("exit 130", 130, "cancelled"),
        ("exit 143", 143, "cancelled"),
        ("kill -INT $$", 130, "cancelled"),
        ("kill -TERM $$", 143, "cancelled"),
    ],
)
def test_the_exit_code_is_that_of_the_outcome(workspace, script, code, words):
    workspace.write_job("acme", script)

    done = workspace.run("run", "acme/orders")

    assert done.code == code
    assert done.err.startswith(f"acme/orders: {words} in ")


def test_a_job_that_takes_too_long_has_failed(workspace):
    workspace.write_job("acme", "sleep 300", more="timeout: 1s\n")

    done = workspace.run("run", "acme/orders")

    assert (done.code, done.err.startswith("acme/orders: timed out in 1")) == (2, True)


def test_output_goes_where_the_job_wrote_it(workspace):
    event = '{"event_type": "metrics_writing", "table": "acme.orders", "row_count": 1200}'
    script = 'echo out; echo err >&2; printf "%s\\\\n" "$EVENT"'
    workspace.write_job("acme", script, more=f"env: {{EVENT: '{event}'}}\n")

    done = workspace.run("run", "acme/orders")

    assert done.out == "out\n"
    assert sorted(line.split(" in ")[0] for line in done.err.splitlines()) == [
        "acme/orders: succeeded",
        "err",
        "metrics_writing table=acme.orders row_count=1200",
    ]


def test_machines_get_one_json_object_a_line(workspace):
    workspace.write_job("acme", "echo out; exit 1")

    done = workspace.run("run", "acme/orders", "--log-format", "json")
    lines = [json.loads(line) for line in done.out.splitlines()]

    assert (done.code, done.err) == (1, "")
    assert [line["event_type"] for line in lines] == ["job_started", "output", "job_finished"]
    assert (lines[1]["stream"], lines[1]["text"]) == ("stdout", "out")
    assert (lines[2]["outcome"], lines[2]["exit_code"]) == ("partial", 1)


def test_retries_happen_only_when_they_are_asked_for(workspace):
    more = "retry_config: {max_retries: 2, initial_delay_seconds: 0.01}\n"
    workspace.write_job("acme", "echo x >> said/tries; exit 2", more=more)

    once = workspace.run("run", "acme/orders")
    tries = said(workspace)["tries"]
    again = workspace.run("run", "acme/orders", "--retry")

    assert (once.code, tries) == (2, "x\n")
    assert (again.code, said(workspace)["tries"]) == (2, "x\n" * 4)
    assert again.err.splitlines()[0] == (
        "attempt 1 failed (exit code 2); again in 0.01s, because exit code 2 is retryable"
    )
    assert again.err.splitlines()[-1].endswith("exit code 2, 3 attempts")


def test_a_variable_of_the_command_line_counts_before_all_others(workspace):
    workspace.run("run", "acme/orders", "--env", "WHO=you", WHO="me")
    first = said(workspace)["acme"]
    workspace.run("run", "acme/orders", "--env", "GREETING=bye", WHO="me")

    assert (first, said(workspace)["acme"]) == (
        "acme acme hello you\n",
        "acme acme bye\n",
    )


def test_values_of_the_command_line_and_of_a_proxy_are_shown_nowhere(workspace):
    event = '{"event_type": "metrics_api", "pin": %s}\\n'
    script = 'echo $TOKEN $https_proxy; printf "$EVENT" $PIN'
    workspace.write_job("acme", script, more=f"env: {{EVENT: '{event}'}}\n")

    done = workspace.run(
        *("run", "acme/orders", "--log-format", "json", "--env", "TOKEN=hunter22"),
        *("--env", "PIN=48213"),
        https_proxy="http://ada:s3cr3t@proxy:3128",
    )
    lines = [json.loads(line) for line in done.out.splitlines()]

    assert (done.code, lines[1]["text"]) == (0, "*** http://ada:***@proxy:3128")
    assert (lines[2]["event_type"], lines[2]["pin"]) == ("metrics_api", "***")
    assert not {"hunter22", "s3cr3t", "48213"} & set(re.findall(r"\w+", done.out + done.err))


def test_a_dry_run_starts_nothing_and_shows_no_secret(workspace):
    script = "curl --header ${TOKEN} > said/curl"
    workspace.write_job("acme", script, more="timeout: 90s\nenv: {API_KEY: '${TOKEN}'}\n")

    done = workspace.run("run", "acme/orders", "--dry-run", TOKEN="hunter22")
    as_json = workspace.run(
        "run", "acme/orders", "--dry-run", "--log-format", "json", TOKEN="hunter22"
    )

    assert (done.code, done.err, said(workspace)) == (0, "", {})
    assert not (workspace.folder / ".orchestrate").exists()
    assert "hunter22" not in done.out + as_json.out
    assert f"command       sh -c '{script}'\n" in done.out
    assert as_json.json == {
        "job": "acme/orders",
        "argv": ["sh", "-c", script],
        "environment": as_json.json["environment"],
        "working_directory": str(workspace.folder),
        "timeout_seconds": 90.0,
        "grace_period_seconds": 10.0,
    }
    assert {"API_KEY", "GREETING", "ORCHESTRATE_JOB", "PATH"} < set(as_json.json["environment"])


def test_a_variable_without_a_value_is_an_error_that_names_it(workspace):
    workspace.write_job("acme", "echo ${TOKEN}")

    done = workspace.run("run", "acme/orders")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(
        "jobs/acme/orders.yaml:1:1: error ORC603: job `acme/orders` needs a variable that has no"
        " value: `TOKEN` (for command[2])\n   help: "
    )


def test_an_unknown_job_is_an_error_with_a_suggestion(workspace):
    done = workspace.run("run", "acme/order")

    assert (done.code, done.out, done.err) == (
        2,
        "",
        (
            "error ORC601: there is no job `acme/order`\n"
            "   help: did you mean `acme/orders`? `orchestrate list jobs` shows all\n"
        ),
    )


def test_a_file_that_does_not_exist_is_an_error(workspace):
    done = workspace.run("run", "jobs/acme/order.yaml")

    assert (done.code, done.err) == (
        2,
        (
            f"error ORC601: the job file `{workspace.folder}/jobs/acme/order.yaml` does not exist\n"
            "   help: name a job file, or a job as `tenant/name`; `orchestrate list jobs` shows"
            " all\n"
        ),
    )


def test_a_broken_job_is_refused_with_its_problems_and_others_still_run(workspace):
    workspace.edit("jobs/globex/orders.yaml", "command:", "comand:")

    done, other = workspace.run("run", "globex/orders"), workspace.run("run", "acme/orders")

    assert (done.code, other.code) == (2, 0)
    assert done.err.startswith(
        "error ORC602: the job `globex/orders` cannot run, because its file has errors:\n"
        "jobs/globex/orders.yaml:"
    )
    assert "unknown key `comand`" in done.err


def test_a_job_with_a_name_of_its_own_is_found_by_it(workspace):
    workspace.write_job("acme", "echo found", name="file", more="name: quite_another\n")

    done = workspace.run("run", "acme/quite_another")

    assert (done.code, done.out) == (0, "found\n")


def test_a_job_that_is_running_is_not_started_a_second_time(workspace, start):
    workspace.write_job("acme", "echo ready; sleep 300")
    first, _ = start("run", "acme/orders", until="ready")

    second = workspace.run("run", "acme/orders")
    other = workspace.run("run", "globex/orders")
    first.send_signal(signal.SIGTERM)

    assert (second.code, second.out, other.code) == (2, "", 0)
    assert second.err.startswith(
        f"error ORC606: the job `acme/orders` is already running, by process {first.pid} on "
    )
    assert first.wait(timeout=20) == 143


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_whole_tree_within_the_grace_period(
    workspace, start, marked, number, code
):
    workspace.write_job("acme", STUBBORN, more="grace_period: 1s\n")
    mark = str(uuid4())
    process, log = start("run", "acme/orders", "--env", f"MARK={mark}", until="ready")
    started, found = time.monotonic(), marked("MARK", mark)

    process.send_signal(number)

    assert process.wait(timeout=20) == code
    assert time.monotonic() - started < 10
    assert (len(found), marked("MARK", mark)) == (2, [])
    assert log.read_text().splitlines()[-1] == (f"acme/orders: cancelled, stopped by {number.name}")


@pytest.fixture
def broken_runner(workspace):
    """A runner.yaml that says nothing that can be read of tenants."""

    def damage():
        workspace.write("runner.yaml", "runner: [")

    return damage


def test_a_job_does_not_run_under_settings_that_cannot_be_read(workspace, broken_runner):
    broken_runner()

    done = workspace.run("run", "acme/orders")

    assert (done.code, said(workspace)) == (2, {})
    assert done.err.startswith(
        "error ORC627: runner.yaml has errors, so it is not known what it says of tenants and"
        " settings:\nrunner.yaml:2:1: error ORC005: "
    )


def test_a_job_runs_under_the_last_good_settings_and_the_errors_are_shown(workspace, broken_runner):
    remember = (
        "from pathlib import Path; from orchestration.cli.common import read_served_workspace;"
        "read_served_workspace(Path('runner.yaml').absolute())"
    )
    subprocess.run([sys.executable, "-c", remember], cwd=workspace.folder, check=True)
    broken_runner()

    done = workspace.run("run", "acme/orders")
    again = workspace.run("run", "acme/orders")

    assert (done.code, said(workspace)) == (0, {"acme": "acme acme hello nobody\n"})
    assert done.err.startswith("runner.yaml:1:1: warning ORC208: ")
    assert "runner.yaml:2:1: error ORC005: " in done.err
    assert again.code == 0


def test_an_error_in_a_schedule_keeps_no_job_from_running(workspace):
    workspace.edit("runner.yaml", "0 4 * * *", "61 4 * * *")

    done = workspace.run("run", "acme/orders")

    assert (done.code, said(workspace)) == (0, {"acme": "acme acme hello nobody\n"})
