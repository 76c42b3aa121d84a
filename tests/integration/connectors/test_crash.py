"""Processes that are killed at the worst moments: the table is as before, or as it should be."""

import signal

import pytest

OLD, NEW = 1_000, 20_000
COUNT = "SELECT count(*), count(DISTINCT id), min(version), max(version) FROM things"
# Runs the connector process and kills it when it does something to a path that holds a text.
_KILLER = """
import os, runpy, signal, sys
event, part, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
def watch(name, details):
    if name == event and part in str(details):
        os.kill(os.getpid(), number)
sys.addaudithook(watch)
runpy.run_module("orchestration.connectors", run_name="__main__")
"""
MOMENTS = {
    "extracts": ("open", ".parquet"),
    "has extracted": ("os.rename", "/extracted/"),
    "has normalized": ("os.rename", "/normalized/"),
    "starts to load a file": ("os.rename", "/started_jobs/"),
    "has loaded a file": ("os.rename", "/completed_jobs/"),
    "has only to commit": ("os.rename", "/loaded/"),
}


def killer(moment, number=signal.SIGKILL):
    return ("-c", _KILLER, *MOMENTS[moment], str(int(number)))


def scratch(workspace):
    return workspace.root / ".orchestrate/connectors/acme/things/load"


def rows(version, count):
    lines = [f"{number},{version},{'x' * 40}" for number in range(count)]
    return "\n".join(["id,version,filler", *lines]) + "\n"


@pytest.mark.parametrize(
    ("moment", "options"),
    [(moment, {}) for moment in MOMENTS]
    + [
        (moment, options)
        for moment in ("has loaded a file", "has only to commit")
        for options in ({"primary_key": "id"}, {"write_disposition": "replace"})
    ],
)
def test_a_killed_load_leaves_the_old_rows_and_its_next_run_the_new_ones(
    workspace, moment, options
):
    options = {"path": "data.csv", **options}
    workspace.write("data.csv", rows(1, OLD))
    workspace.run("csv", options)
    workspace.write("data.csv", rows(2, NEW))
    killed = workspace.run_process("csv", options, program=killer(moment))
    assert killed.exit_code == -signal.SIGKILL
    assert workspace.query(COUNT) == [(OLD, OLD, 1, 1)]
    assert workspace.run("csv", options).exit_code == 0
    assert workspace.query(COUNT) == [(NEW, NEW, 2, 2)]
    assert not scratch(workspace).exists()


def test_the_first_load_of_all_may_be_killed_too(workspace):
    workspace.write("data.csv", rows(1, NEW))
    killed = workspace.run_process(
        "csv", {"path": "data.csv"}, program=killer("has only to commit")
    )
    assert killed.exit_code == -signal.SIGKILL
    assert workspace.tables() == []
    workspace.run("csv", {"path": "data.csv"})
    assert workspace.query(COUNT) == [(NEW, NEW, 1, 1)]


def test_after_the_commit_a_kill_costs_nothing(workspace):
    workspace.write("data.csv", rows(1, OLD))
    process = workspace.start("csv", {"path": "data.csv"})
    while '"checkpoint_saved"' not in process.stdout.readline():
        pass
    process.kill()
    process.communicate()
    again = workspace.run("csv", {"path": "data.csv"})
    assert again.one("metrics_extraction")["files_unchanged"] == 1
    assert workspace.query(COUNT) == [(OLD, OLD, 1, 1)]
    assert workspace.loads() == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_asked_to_stop_says_so_last_and_changes_nothing(workspace, number):
    workspace.write("data.csv", rows(1, OLD))
    workspace.run("csv", {"path": "data.csv"})
    workspace.write("data.csv", rows(2, NEW))
    stopped = workspace.run_process(
        "csv", {"path": "data.csv"}, program=killer("has loaded a file", number)
    )
    assert (stopped.exit_code, stopped.stderr) == (128 + number, "")
    assert stopped.events[-1]["event_type"] == "metrics_complete"
    assert stopped.events[-1]["status"] == "failure"
    assert workspace.query(COUNT) == [(OLD, OLD, 1, 1)]


def test_a_full_refresh_that_is_killed_leaves_the_old_table(workspace):
    workspace.write("data.csv", rows(1, OLD))
    workspace.run("csv", {"path": "data.csv"})
    workspace.write("data.csv", rows(2, NEW))
    killed = workspace.run_process(
        "csv", {"path": "data.csv"}, program=killer("has only to commit"), full_refresh=True
    )
    assert killed.exit_code == -signal.SIGKILL
    assert workspace.query(COUNT) == [(OLD, OLD, 1, 1)]
    workspace.run("csv", {"path": "data.csv"})
    assert workspace.query(COUNT) == [(NEW, NEW, 2, 2)]
