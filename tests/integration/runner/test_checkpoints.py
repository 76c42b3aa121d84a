"""A checkpoint is never ahead of what its command has committed, whatever is killed when."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestration.domain.chain import Chain
from orchestration.domain.job import CommandTask, Job, JobKind
from orchestration.domain.outcome import Outcome
from orchestration.domain.problem import Location
from orchestration.domain.retry import RetryPolicy
from orchestration.domain.workspace import Settings
from orchestration.runner import run_with_retries
from orchestration.runner.checkpoint_stores import LocalStore
from orchestration.runner.checkpoints import Checkpoints, Origin
from orchestration.runner.handover import Handover

TENANTS = ("acme", "globex", "initech")
RECORDS = 20
# Commits the next five records of a source of twenty, remembers how far it came, and stops where
# it is told to. Each commit is written down for the test, in the order of what happens.
COMMAND = """
import os, sqlite3, sys, time
from pathlib import Path
folder, stop = Path(sys.argv[1]), sys.argv[2]

def at(moment):
    if moment == stop:
        print("stopped", flush=True)
        time.sleep(1000)

current = Path(os.environ["ORCHESTRATE_CHECKPOINT"])
start = int(current.read_text()) if current.exists() else 0
end = min(start + 5, 20)
at("before the commit")
with sqlite3.connect(folder / "sink") as sink:
    sink.execute("create table if not exists rows (id integer primary key, tenant text)")
    rows = [(n, os.environ["ORCHESTRATE_TENANT"]) for n in range(start, end)]
    sink.executemany("insert or replace into rows values (?, ?)", rows)
with open(folder / "committed", "a") as committed:
    print(end, file=committed)
at("after the commit")
Path(os.environ["ORCHESTRATE_CHECKPOINT_NEXT"]).write_text(str(end))
at("after the new checkpoint was left")
"""
# A runner whose store stops where it is told to.
RUNNER = """
import json, sys, time
from pathlib import Path
from orchestration.runner import ProcessSpec, run_attempt
from orchestration.runner.checkpoint_stores import LocalStore
from orchestration.runner.checkpoints import Checkpoints, Origin
from orchestration.runner.handover import Handover
order = json.loads(sys.argv[1])

def at(moment):
    if moment == order["stop"]:
        print("stopped", flush=True)
        time.sleep(1000)

def rename(source, target):
    at("between writing and renaming")
    source.rename(target)
    at("after renaming")

class StoppingStore(LocalStore):
    def read(self, job_id, name):
        at("before the command starts")
        return super().read(job_id, name)

    def write(self, job_id, name, content):
        at("before the new one is stored")
        super().write(job_id, name, content)
        at("after the new one was stored")

state = Path(order["state"])
handover = Handover(
    checkpoints=Checkpoints(
        store=StoppingStore(state / "checkpoints", rename), job_id=order["job"]
    ),
    folder=state.joinpath("attempts", order["job"], order["run"] + "-1"),
    origin=Origin(run_id=order["run"], attempt=1),
)
spec = ProcessSpec(
    argv=tuple(order["argv"]), working_directory=state, handover=handover,
    environ={"ORCHESTRATE_TENANT": order["job"].split("/")[0], **handover.variables},
)
result = run_attempt(spec, attempt=1, on_event=lambda event: print(event.event_type, flush=True),
                     on_output=lambda stream, line: print(line, flush=True))
print(result.outcome.value, flush=True)
"""
MOMENTS = (
    "before the command starts",
    "before the commit",
    "after the commit",
    "after the new checkpoint was left",
    "before the new one is stored",
    "between writing and renaming",
    "after renaming",
    "after the new one was stored",
)
STORED = MOMENTS[6:]


class Worker:
    """Runs the job of a tenant, which has its own source and sink."""

    def __init__(self, folder: Path, tenant: str, marker: str) -> None:
        self.folder = folder / "data" / tenant
        self.folder.mkdir(parents=True)
        self.state = folder / "state"
        self.job_id = f"{tenant}/events"
        self.tenant = tenant
        self.marker = marker
        self.runs = 0
        self.checkpoints = Checkpoints(
            store=LocalStore(self.state / "checkpoints"), job_id=self.job_id
        )

    def start(self, stop: str = "") -> subprocess.Popen[str]:
        self.runs += 1
        order = {
            "state": str(self.state),
            "job": self.job_id,
            "run": f"run-{self.runs}",
            "stop": stop,
            "argv": [sys.executable, "-I", "-c", COMMAND, str(self.folder), stop, self.marker],
        }
        self.state.mkdir(exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "-c", RUNNER, json.dumps(order)], stdout=subprocess.PIPE, text=True
        )

    def run(self) -> list[str]:
        with self.start() as process:
            return process.communicate(timeout=60)[0].splitlines()

    def kill_at(self, moment: str) -> None:
        with self.start(moment) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "stopped\n"
            os.kill(process.pid, signal.SIGKILL)
            process.wait(timeout=30)

    def checkpoint(self) -> int:
        current = self.checkpoints.current()
        return int(self.checkpoints.read(current)) if current else 0

    def committed(self) -> list[int]:
        path = self.folder / "committed"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def rows(self) -> list[tuple[int, str]]:
        with closing(sqlite3.connect(self.folder / "sink")) as sink:
            return sink.execute("select id, tenant from rows order by id").fetchall()

    def left(self) -> list[str]:
        folder = self.state / "attempts" / self.job_id
        return [path.name for path in folder.iterdir() if path.is_dir()]


@pytest.fixture
def jobs(tmp_path, marker):
    return {tenant: Worker(tmp_path, tenant, marker.text) for tenant in TENANTS}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_runner_that_is_killed_loses_and_doubles_nothing(jobs, marker, moment):
    for job in jobs.values():
        assert job.run() == ["checkpoint_saved", "succeeded"]
    victim = jobs["globex"]

    victim.kill_at(moment)
    marker.wait_until_gone()

    assert victim.checkpoint() <= max(victim.committed())
    assert victim.checkpoint() == (10 if moment in STORED else 5)
    for job in jobs.values():
        while job.checkpoint() < RECORDS:
            assert job.run() == ["checkpoint_saved", "succeeded"]
        assert job.run() == ["succeeded"]  # unchanged is no new version
        assert job.rows() == [(number, job.tenant) for number in range(RECORDS)]
        assert job.left() == []
    files = {path.name for path in (victim.state / "checkpoints/globex/events").iterdir()}
    assert {name for name in files if name.endswith(".new")} == set()


def hand_over(folder, job_id="acme/orders", run_id="run-1"):
    return Handover(
        checkpoints=Checkpoints(store=LocalStore(folder / "checkpoints"), job_id=job_id),
        folder=folder / "attempts" / job_id / run_id,
        origin=Origin(run_id=run_id, attempt=1),
    )


def make_job(folder, tenant, *, max_retries):
    return Job(
        tenant=tenant,
        name="orders",
        asset="orders",
        kind=JobKind.COMMAND,
        task=CommandTask(command=("sh",), working_directory=folder),
        location=Location(file=f"jobs/{tenant}/orders.yaml"),
        retry=RetryPolicy(max_retries=max_retries),
    )


@pytest.fixture
def run(attempt, tmp_path):
    """Runs a script that has been handed its checkpoint; `handover` is what it was handed."""
    numbers = iter(range(100))

    def start(script, *, job_id="acme/orders", **facts):
        handover = hand_over(tmp_path, job_id, f"run-{next(numbers)}")
        environ = {"PATH": os.environ["PATH"], **handover.variables}
        result = attempt.run("sh", "-c", script, environ=environ, handover=handover, **facts)
        assert not handover.folder.exists()
        return result

    return start


@pytest.fixture
def stored(tmp_path):
    def read(job_id="acme/orders"):
        checkpoints = hand_over(tmp_path, job_id).checkpoints
        return [
            (version.number, checkpoints.read(version).decode())
            for version in reversed(checkpoints.history())
        ]

    return read


KEEP = "printf old > $ORCHESTRATE_CHECKPOINT_NEXT"
REPLACE = "printf new > $ORCHESTRATE_CHECKPOINT_NEXT"
SAY_SO = """echo '{"event_type": "metrics_complete", "status": "partial"}'"""


def test_the_first_attempt_finds_no_file_and_the_next_one_what_the_first_has_left(run, attempt):
    run(f"test ! -e $ORCHESTRATE_CHECKPOINT && {KEEP}")
    run("cat $ORCHESTRATE_CHECKPOINT; stat -c ' %a %n' $ORCHESTRATE_CHECKPOINT | cut -c -5")
    run("stat -c '%a' $(dirname $ORCHESTRATE_CHECKPOINT)")

    assert [line for _, line in attempt.lines] == ["old 400 ", "700"]
    [event] = attempt.events
    assert (event.event_type, event.fields["version"], event.fields["size_bytes"]) == (
        "checkpoint_saved",
        1,
        3,
    )


@pytest.mark.parametrize(
    ("ending", "outcome", "expected"),
    [
        ("exit 0", Outcome.SUCCEEDED, "new"),
        (f"{SAY_SO}; exit 1", Outcome.PARTIAL, "new"),
        ("exit 1", Outcome.PARTIAL, "old"),
        (f"{SAY_SO}; exit 2", Outcome.FAILED, "old"),
        ("exit 2", Outcome.FAILED, "old"),
        ("exit 75", Outcome.FAILED, "old"),
        ("exit 143", Outcome.CANCELLED, "old"),
        ("kill -KILL $$", Outcome.FAILED, "old"),
        ("kill -TERM $$", Outcome.CANCELLED, "old"),
    ],
)
def test_only_a_success_at_least_in_part_replaces_the_checkpoint(
    run, stored, ending, outcome, expected
):
    run(KEEP)

    result = run(f"{REPLACE}; {ending}")

    assert result.outcome is outcome
    assert stored()[-1][1] == expected


def test_an_exception_of_python_after_the_new_checkpoint_was_left_keeps_the_old_one(
    run, stored, attempt
):
    """The command leaves its checkpoint and then fails to commit."""
    run(KEEP)

    result = run(f"{REPLACE}; exec {sys.executable} -c 'raise OSError'")

    assert (result.outcome, stored()) == (Outcome.PARTIAL, [(1, "old")])
    assert attempt.lines[-1][1] == (
        "the new checkpoint is not kept: exit code 1 without a `metrics_complete` event may be an"
        " exception that was not caught\n"
        '   help: write the event {"event_type": "metrics_complete", "status": "partial"} to stdout'
        " when all data is committed"
    )


def test_a_partial_success_that_left_no_new_checkpoint_needs_no_note(run, attempt):
    run(KEEP)

    run("exit 1")

    assert attempt.lines == []


@pytest.mark.parametrize("tenant", TENANTS)
def test_a_partial_success_that_is_repeated_does_the_same_work_again(attempt, tmp_path, tenant):
    """A command that rejects records 1 to 3 at its first attempt, and would go on behind them."""
    job = make_job(tmp_path, tenant, max_retries=2)
    script = (
        "cat $ORCHESTRATE_CHECKPOINT 2> /dev/null || echo from the start\n"
        "echo 3 > $ORCHESTRATE_CHECKPOINT_NEXT\n"
        f"test -e accepting || {{ {SAY_SO}; touch accepting; exit 1; }}"
    )
    lines = []

    def prepare(number):
        handover = hand_over(tmp_path, job.id, run_id=f"run-{number}")
        environ = {"PATH": os.environ["PATH"], **handover.variables}
        spec = attempt.spec("sh", "-c", script, environ=environ, handover=handover)
        return replace(spec, working_directory=tmp_path)

    result = run_with_retries(
        Chain.of(job, Settings(state_directory=tmp_path), "run"),
        prepare,
        on_output=lambda _stream, line: lines.append(line),
        on_event=lambda _event: None,
        on_log=lambda _record: None,
        sleep=lambda _seconds: None,
    )

    checkpoints = hand_over(tmp_path, job.id).checkpoints
    assert (result.outcome, result.attempt) == (Outcome.SUCCEEDED, 2)
    assert [checkpoints.read(version) for version in checkpoints.history()] == [b"3\n"]
    assert lines == [
        "from the start",
        (
            "the new checkpoint is not kept, since another attempt follows: it does the same work"
            " again"
        ),
        "from the start",
    ]


def test_a_time_out_keeps_the_old_one(run, stored):
    run(KEEP)

    result = run(f"{REPLACE}; sleep 1000", timeout=timedelta(seconds=0.3))

    assert (result.outcome, stored()) == (Outcome.TIMED_OUT, [(1, "old")])


def test_a_command_that_succeeds_when_it_is_cancelled_keeps_the_old_one(run, stored, attempt):
    run(KEEP)

    def interrupt(_line):
        raise KeyboardInterrupt

    attempt.on_line = interrupt
    with pytest.raises(KeyboardInterrupt):
        run(f"trap 'exit 0' TERM; {REPLACE}; echo ready; sleep 1000 & wait")

    assert stored() == [(1, "old")]


def test_an_unchanged_checkpoint_is_no_version_and_an_empty_one_is(run, stored, attempt):
    run(KEEP)
    run(KEEP)
    run("true")
    run(": > $ORCHESTRATE_CHECKPOINT_NEXT")
    run("test -e $ORCHESTRATE_CHECKPOINT && test ! -s $ORCHESTRATE_CHECKPOINT")

    assert stored() == [(1, "old"), (2, "")]
    assert [event.fields["version"] for event in attempt.events] == [1, 2]


def test_three_tenants_find_their_own_checkpoint(run, stored, attempt):
    for tenant in (*TENANTS, *TENANTS):
        script = (
            f"cat $ORCHESTRATE_CHECKPOINT 2> /dev/null; echo; echo {tenant} > "
            "$ORCHESTRATE_CHECKPOINT_NEXT"
        )
        assert run(script, job_id=f"{tenant}/orders").outcome is Outcome.SUCCEEDED

    assert [line for _, line in attempt.lines if line] == [*TENANTS]
    assert {tenant: stored(f"{tenant}/orders") for tenant in TENANTS} == {
        tenant: [(1, f"{tenant}\n")] for tenant in TENANTS
    }


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        (
            "mkdir $ORCHESTRATE_CHECKPOINT_NEXT",
            "what the command has left at `ORCHESTRATE_CHECKPOINT_NEXT` is no regular file",
        ),
        (
            "mkfifo $ORCHESTRATE_CHECKPOINT_NEXT",
            "what the command has left at `ORCHESTRATE_CHECKPOINT_NEXT` is no regular file",
        ),
        (
            "ln -s /etc/passwd $ORCHESTRATE_CHECKPOINT_NEXT",
            "what the command has left at `ORCHESTRATE_CHECKPOINT_NEXT` is no regular file",
        ),
        (
            "truncate -s 67108865 $ORCHESTRATE_CHECKPOINT_NEXT",
            (
                "the file that the command has left at `ORCHESTRATE_CHECKPOINT_NEXT` has 67,108,865"
                " bytes, and may have 67,108,864"
            ),
        ),
        (
            "rm -f $ORCHESTRATE_CHECKPOINT; printf new > $ORCHESTRATE_CHECKPOINT",
            "the command has written to `ORCHESTRATE_CHECKPOINT`, which is a copy to read from",
        ),
        (
            "rm -f $ORCHESTRATE_CHECKPOINT; mkfifo $ORCHESTRATE_CHECKPOINT",
            "the command has written to `ORCHESTRATE_CHECKPOINT`, which is a copy to read from",
        ),
    ],
)
def test_what_cannot_be_kept_makes_the_attempt_fail(run, stored, attempt, script, fault):
    run(KEEP)

    result = run(f"{SAY_SO}; {script}; exit 1")

    assert (result.outcome, result.exit_code, result.reason) == (Outcome.FAILED, 2, fault)
    assert result.error_text == fault
    assert attempt.lines[-1][1].startswith(f"error ORC667: {fault}\n   help: ")
    assert stored() == [(1, "old")]


def test_a_command_may_remove_its_copy(run, stored):
    run(KEEP)

    result = run("rm -f $ORCHESTRATE_CHECKPOINT")

    assert (result.outcome, stored()) == (Outcome.SUCCEEDED, [(1, "old")])


def test_a_store_that_cannot_be_written_makes_the_attempt_fail(run, tmp_path):
    (tmp_path / "checkpoints").write_text("no folder")

    result = run("echo ran")

    assert (result.outcome, result.exit_code) == (Outcome.FAILED, 2)
    assert (
        result.reason
        == f"the checkpoints in {tmp_path}/checkpoints cannot be read: Not a directory"
    )


def test_a_store_that_is_lost_meanwhile_makes_the_attempt_fail(run, tmp_path, attempt):
    run(KEEP)
    store = tmp_path / "checkpoints"

    result = run(f"{REPLACE}; mv {store} {store}.old; touch {store}; echo ran")

    assert (result.outcome, result.exit_code) == (Outcome.FAILED, 2)
    assert result.reason == f"the checkpoints in {store} cannot be written: Not a directory"
    assert attempt.lines[0][1] == "ran"


def test_an_attempt_whose_checkpoint_could_not_be_handed_out_is_repeated_like_a_failure(
    attempt, tmp_path
):
    blocked = tmp_path / "checkpoints"
    blocked.write_text("no folder")
    job = make_job(tmp_path, "acme", max_retries=1)
    logged = []

    def prepare(number):
        handover = hand_over(tmp_path, run_id=f"run-{number}")
        return attempt.spec("sh", "-c", KEEP, environ=handover.variables, handover=handover)

    result = run_with_retries(
        Chain.of(job, Settings(state_directory=tmp_path), "run"),
        prepare,
        on_output=lambda _stream, _line: None,
        on_event=lambda _event: None,
        on_log=logged.append,
        sleep=lambda _seconds: blocked.unlink(),
    )

    assert (result.outcome, result.attempt) == (Outcome.SUCCEEDED, 2)
    [retry] = [record for record in logged if record.event_type == "retry_attempt"]
    assert (
        retry.fields["ended_by"] == f"the checkpoints in {blocked} cannot be read: Not a directory"
    )


def test_two_attempts_of_a_job_at_once_have_a_folder_each_and_the_last_success_wins(
    run, stored, tmp_path
):
    other = hand_over(tmp_path, run_id="other")
    with other.begin() as handed:
        run(REPLACE)
        assert other.folder.is_dir()
        other.next_file.write_text("other")
        assert handed.keep().number == 2

    assert stored() == [(1, "new"), (2, "other")]
