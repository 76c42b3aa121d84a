"""`orchestrate checkpoint`, and the runs whose checkpoints it shows."""

import base64
import fcntl
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from orchestration.cli.reference import render_reference

TENANTS = ("acme", "globex", "initech")
# Adds its tenant to what it remembers.
SCRIPT = (
    '{ cat "$ORCHESTRATE_CHECKPOINT" || true; echo $ORCHESTRATE_TENANT; }'
    ' > "$ORCHESTRATE_CHECKPOINT_NEXT" 2>/dev/null'
)
CONNECTOR = """\
tenant_id: acme
source_connector: csv
target_connector: duckdb
asset: airports
source: {path: airports.csv}
target: {path: w.duckdb}
"""


@pytest.fixture
def jobs(workspace):
    for tenant in TENANTS:
        workspace.write_job(tenant, SCRIPT)
    return workspace


def run(jobs, *tenants):
    for tenant in tenants:
        done = jobs.run("run", f"{tenant}/orders")
        assert done.code == 0, done.err
    return done


def show(jobs, tenant, *options):
    return jobs.run("checkpoint", "show", f"{tenant}/orders", *options)


def set_from(jobs, content, source, *, tenant="acme"):
    """Sets it from standard input or from a file."""
    (jobs.folder / "given").write_bytes(content)
    return shell(jobs, f"orchestrate checkpoint set {tenant}/orders {source} < given")


def shell(jobs, command):
    path = f"{Path(sys.executable).parent}:{jobs.environ['PATH']}"
    return subprocess.run(
        ["sh", "-c", command],
        cwd=jobs.folder,
        env={**jobs.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_run_of_three_tenants_goes_on_from_its_own_checkpoint(jobs):
    for tenant in TENANTS:
        assert show(jobs, tenant).code == 2
    run(jobs, *TENANTS, "globex", "initech", "initech")

    assert {tenant: show(jobs, tenant).out for tenant in TENANTS} == {
        "acme": "acme\n",
        "globex": "globex\n" * 2,
        "initech": "initech\n" * 3,
    }


def test_a_run_tells_that_it_has_saved_its_checkpoint(jobs):
    done = run(jobs, "acme")

    digest = sha256(b"acme\n").hexdigest()
    assert f"checkpoint_saved version=1 size_bytes=5 digest={digest}\n" in done.err
    assert list((jobs.folder / ".orchestrate/attempts/acme/orders").glob("*-*")) == []


def test_a_checkpoint_is_shown_with_all_that_is_known_of_it(jobs):
    run(jobs, "acme")

    shown = show(jobs, "acme", "--format", "json").json

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[0-9:.]+\+00:00", shown.pop("stored_at"))
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f-]{27}", shown.pop("run_id"))
    assert shown == {
        "job": "acme/orders",
        "version": 1,
        "attempt": 1,
        "size_bytes": 5,
        "digest": sha256(b"acme\n").hexdigest(),
        "content": "acme\n",
    }


def test_what_is_no_text_is_shown_as_it_is_and_in_json_as_base64(jobs):
    binary = bytes(range(256))
    assert (
        set_from(jobs, binary, "-").stdout
        == "acme/orders: version 1 of its checkpoint, 256 bytes\n"
    )

    shown = show(jobs, "acme", "--format", "json").json
    assert base64.b64decode(shown["content_base64"]) == binary
    same = shell(jobs, "orchestrate checkpoint show acme/orders > shown && cmp shown given")
    assert same.returncode == 0


def test_a_checkpoint_that_was_set_is_what_the_next_run_finds(jobs):
    run(jobs, "acme")

    assert set_from(jobs, b"by hand\n", "given").returncode == 0
    assert set_from(jobs, b"by hand\n", "-").stdout == (
        "acme/orders: this is its checkpoint already\n"
    )
    run(jobs, "acme")

    assert show(jobs, "acme").out == "by hand\nacme\n"


def test_after_a_reset_a_job_begins_anew(jobs):
    run(jobs, "acme", "globex")
    reset = jobs.run("checkpoint", "reset", "acme/orders", "--yes")
    again = jobs.run("checkpoint", "reset", "acme/orders", "--yes")

    assert (reset.code, reset.out) == (
        0,
        "acme/orders: begins anew; version 2 of its checkpoint is the reset\n",
    )
    assert (again.code, again.out) == (0, "acme/orders: has no checkpoint, and begins anew\n")
    assert show(jobs, "acme").err == (
        "error ORC668: `acme/orders` has no checkpoint: version 2 is a reset\n"
        "   help: `orchestrate checkpoint history acme/orders` shows the versions before\n"
    )
    assert show(jobs, "acme", "--version", "1").out == "acme\n"
    run(jobs, "acme")
    assert (show(jobs, "acme").out, show(jobs, "globex").out) == ("acme\n", "globex\n")


def test_a_reset_wants_to_be_confirmed(jobs):
    run(jobs, "acme")
    done = jobs.run("checkpoint", "reset", "acme/orders")

    assert done.code == 2
    assert done.err == (
        "error ORC636: nobody is there to confirm that the checkpoint of `acme/orders` may be reset\n"
        "   help: add --yes; `orchestrate checkpoint show` shows it first\n"
    )
    assert show(jobs, "acme").out == "acme\n"


def test_the_history_shows_where_each_version_comes_from(jobs):
    run(jobs, "acme")
    set_from(jobs, b"x", "-")
    jobs.run("checkpoint", "reset", "acme/orders", "--yes")

    table = jobs.run("checkpoint", "history", "acme/orders").out.splitlines()

    when, run_id = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "[0-9a-f-]{36}"
    expected = [
        r"version  stored at +by +size +digest",
        rf"3 +{when}  hand +- +reset",
        rf"2 +{when}  hand +1 byte +  {sha256(b'x').hexdigest()[:12]}",
        rf"1 +{when}  run {run_id}, attempt 1  5 bytes  {sha256(b'acme' + bytes([10])).hexdigest()[:12]}",
    ]
    assert len(table) == len(expected)
    for line, pattern in zip(table, expected, strict=True):
        assert re.fullmatch(pattern, line.rstrip()), line


def test_the_history_is_for_scripts_too(jobs):
    run(jobs, "acme")
    jobs.run("checkpoint", "reset", "acme/orders", "--yes")

    rows = jobs.run("checkpoint", "history", "acme/orders", "--format", "json").json

    assert [list(row) for row in rows] == [
        ["version", "stored_at", "run_id", "attempt", "size_bytes", "digest"]
    ] * 2
    assert [(row["version"], row["attempt"], row["size_bytes"]) for row in rows] == [
        (2, None, 0),
        (1, 1, 5),
    ]


def test_a_version_that_is_not_there_is_told(jobs):
    assert show(jobs, "acme").err == (
        "error ORC668: `acme/orders` has no checkpoint\n"
        "   help: it has one once its command has left a file at ORCHESTRATE_CHECKPOINT_NEXT, and"
        " succeeded\n"
    )
    history = jobs.run("checkpoint", "history", "acme/orders")
    assert (history.code, history.out, history.err) == (2, "", show(jobs, "acme").err)
    assert show(jobs, "acme", "--version", "0").err.endswith("0 is not in the range x>=1.\n")
    run(jobs, "acme", "acme")
    assert show(jobs, "acme", "--version", "7").err == (
        "error ORC668: there is no version 7 of the checkpoint of `acme/orders`\n"
        "   help: it has 2 versions: 2, 1\n"
    )


@pytest.mark.parametrize(
    "arguments", [["show"], ["history"], ["set", "runner.yaml"], ["reset", "--yes"]]
)
def test_a_connector_job_remembers_in_its_target(jobs, arguments):
    jobs.write("jobs/acme/airports.yaml", CONNECTOR)
    subcommand, *rest = arguments

    done = jobs.run("checkpoint", subcommand, "acme/airports", *rest)

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "jobs/acme/airports.yaml:1:1: error ORC669: `acme/airports` is a connector job: what it"
        " remembers is in its target `duckdb`, committed with the data\n"
        "   help: `orchestrate run acme/airports --full-refresh` loads everything anew\n"
    )


@pytest.mark.parametrize("arguments", [["set", "runner.yaml"], ["reset", "--yes"]])
def test_the_checkpoint_of_a_running_job_is_left_alone(jobs, arguments):
    run(jobs, "acme")
    subcommand, *rest = arguments
    with (jobs.folder / ".orchestrate/locks/acme/orders.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        done = jobs.run("checkpoint", subcommand, "acme/orders", *rest)

    assert done.code == 2
    assert done.err.startswith("error ORC606: the job `acme/orders` is already running, by ")
    assert show(jobs, "acme").out == "acme\n"


def test_the_examples_work(jobs):
    jobs.write_job("acme", SCRIPT, name="events")
    jobs.write("checkpoint", "100")
    assert jobs.run("run", "acme/events").code == 0
    shown = [line for line in render_reference().splitlines() if "orchestrate checkpoint" in line]
    examples = [line for line in shown if "acme/events" in line]

    in_order = sorted(set(examples), key=lambda line: "reset" in line)
    failed = [line for line in in_order if shell(jobs, line).returncode != 0]

    assert (len(in_order), failed) == (8, [])


def test_what_an_earlier_release_has_stored_goes_on(jobs):
    old = jobs.folder / ".orchestrate/checkpoints/acme/orders/current"
    old.parent.mkdir(parents=True)
    old.write_text("long ago\n")

    assert show(jobs, "acme").out == "long ago\n"
    assert "an earlier release" in jobs.run("checkpoint", "history", "acme/orders").out
    run(jobs, "acme")
    assert show(jobs, "acme").out == "long ago\nacme\n"


def test_checkpoints_move_with_their_files(jobs):
    run(jobs, "acme")
    (jobs.folder / ".orchestrate/checkpoints").rename(jobs.folder / "elsewhere")
    url = f"file://{jobs.folder}/elsewhere"
    jobs.edit("runner.yaml", "runner:\n", f"runner:\n  checkpoints: {{url: '{url}'}}\n")

    run(jobs, "acme")

    assert show(jobs, "acme").out == "acme\nacme\n"
    assert not (jobs.folder / ".orchestrate/checkpoints").exists()


def test_a_store_that_cannot_be_used_makes_the_run_fail(jobs):
    jobs.write("blocked", "no folder")
    url = f"file://{jobs.folder}/blocked"
    jobs.edit("runner.yaml", "runner:\n", f"runner:\n  checkpoints: {{url: '{url}'}}\n")

    done = jobs.run("run", "acme/orders")

    assert done.code == 2
    assert (
        f"error ORC665: the checkpoints in {jobs.folder}/blocked cannot be read: Not a directory\n"
        "   help: see that the disk has space left, and that whoever runs jobs may use the folder\n"
    ) in done.err
    assert done.err.endswith(
        f", the checkpoints in {jobs.folder}/blocked cannot be read: Not a directory\n"
    )
