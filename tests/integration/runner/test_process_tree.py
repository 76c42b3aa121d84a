import os
import resource
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from orchestration import runner
from orchestration.domain.outcome import Outcome
from orchestration.runner import Stream

SECOND = timedelta(seconds=1)
EVERY_KIND = "plain group setsid orphan setsid-orphan deaf deaf-setsid deaf-setsid-orphan"


def guard_of_this_process() -> psutil.Process:
    """The youngest child: a server that other tests use may be one too."""
    return max(psutil.Process().children(), key=psutil.Process.create_time)


def test_a_timeout_ends_a_process_that_ignores_sigterm(attempt, marker):
    started = time.monotonic()
    result = attempt.run(
        *marker.tree("plain deaf"), timeout=timedelta(seconds=0.6), grace_period=SECOND / 2
    )
    assert 1.1 <= time.monotonic() - started < 15
    assert (result.outcome, result.signal) == (Outcome.TIMED_OUT, signal.SIGTERM)
    assert result.reason == "timed out"
    assert marker.processes() == []


def test_a_process_that_heeds_sigterm_at_its_timeout_is_not_killed(attempt):
    code = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done"
    started = time.monotonic()
    result = attempt.run("sh", "-c", code, timeout=2 * SECOND, grace_period=60 * SECOND)
    assert time.monotonic() - started < 15
    assert (result.outcome, result.exit_code) == (Outcome.TIMED_OUT, 0)
    assert attempt.lines_of(Stream.STDOUT) == ["ready", "bye"]


def test_each_process_gets_sigterm_exactly_once(attempt):
    code = """
import os, signal, time
def told(*_): os.write(1, b"told " + kind + b"\\n")
signal.signal(signal.SIGTERM, told)
kind = b"leader"
if os.fork() == 0: kind = b"child"
elif os.fork() == 0:
    kind = b"session"
    os.setsid()
os.write(1, b"ready\\n")
while True: time.sleep(1)
"""
    attempt.on_line = lambda _: len(attempt.lines) == 3 and guard_of_this_process().terminate()
    attempt.run_python(code, grace_period=SECOND / 2)
    told = [line for line in attempt.lines_of(Stream.STDOUT) if line.startswith("told")]
    assert sorted(told) == ["told child", "told leader", "told session"]


@pytest.mark.parametrize("kind", ["leader", "session"])
def test_a_stopped_process_can_still_be_ended(attempt, marker, kind: str):
    code = """
import os, signal, sys, time
if sys.argv[2] == "session" and os.fork() > 0: time.sleep(1000)
if sys.argv[2] == "session": os.setsid()
os.write(1, b"ready\\n")
os.kill(os.getpid(), signal.SIGSTOP)
"""
    attempt.on_line = lambda _: guard_of_this_process().terminate()
    started = time.monotonic()
    result = attempt.run_python(code, marker.text, kind, grace_period=60 * SECOND)
    assert time.monotonic() - started < 15
    assert (result.outcome, result.signal) == (Outcome.CANCELLED, signal.SIGTERM)


@pytest.mark.parametrize("code", [0, 2])
def test_what_the_command_leaves_running_is_ended_and_told(attempt, marker, code: int):
    tree = " ".join(f"'{part}'" for part in marker.tree(EVERY_KIND, "go"))
    result = attempt.run("sh", "-c", f"{tree}; exit {code}", grace_period=SECOND / 2)
    assert (result.exit_code, result.signal) == (code, None)
    assert marker.processes() == []
    assert attempt.lines_of(Stream.STDERR) == ["ended 8 process(es) that the command left running"]
    assert result.stderr_tail == ""


def test_a_helper_that_ends_by_itself_is_not_ended(attempt):
    attempt.run("sh", "-c", "{ sleep 0.1; echo helper done; } & echo done")
    assert attempt.lines == [(Stream.STDOUT, "done"), (Stream.STDOUT, "helper done")]


def test_a_background_process_that_holds_the_output_open_does_not_hang_the_attempt(attempt, marker):
    started = time.monotonic()
    result = attempt.run(*marker.tree("setsid-orphan", "go"), grace_period=60 * SECOND)
    assert time.monotonic() - started < 15
    assert result.outcome is Outcome.SUCCEEDED


def test_a_runner_that_is_killed_leaves_nothing(marker):
    argv = marker.runner_of(marker.tree(EVERY_KIND), grace_seconds=0.5)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(1 + len(EVERY_KIND.split())):
            assert process.stdout.readline() == "ready\n"
        assert len(marker.processes()) == 2 + len(EVERY_KIND.split())
        [guard] = psutil.Process(process.pid).children()
        killed = time.monotonic()
        process.kill()
        marker.wait_until_gone()
    assert time.monotonic() - killed < 10
    guard.wait(timeout=5)


def test_a_runner_that_is_killed_with_its_whole_process_group_leaves_nothing(marker):
    argv = marker.runner_of(marker.tree("deaf setsid"), grace_seconds=0.2)
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        for _ in range(3):
            assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGKILL)
        marker.wait_until_gone()


def test_a_runner_that_dies_while_a_fork_of_it_lives_leaves_nothing(marker):
    # The fork holds the channel to the guard open, so only the parent-death signal tells.
    forking = (
        "import os, sys, threading, time\n"
        "def fork():\n"
        "    time.sleep(0.5)\n"
        "    if os.fork() == 0:\n"
        "        os.write(1, b'forked\\n')\n"
        "        time.sleep(60)\n"
        "        os._exit(0)\n"
        "threading.Thread(target=fork, daemon=True).start()\n"
    )
    argv = marker.runner_of(marker.tree("setsid"), grace_seconds=0.2)
    argv[2] = forking + argv[2]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        said = [process.stdout.readline() for _ in range(3)]
        assert sorted(said) == ["forked\n", "ready\n", "ready\n"]
        tree = [p for p in marker.processes() if p.cmdline()[1] == "-I"]
        assert len(tree) == 2
        process.kill()
        psutil.wait_procs(tree, timeout=15)
        assert not any(process.is_running() for process in tree)
        for fork in marker.processes():
            fork.kill()


def test_a_guard_that_is_killed_takes_the_command_with_it(attempt, marker):
    def kill_guard(_line: str) -> None:
        if len(attempt.lines) == 4:
            guard_of_this_process().kill()

    attempt.on_line = kill_guard
    result = attempt.run(*marker.tree("plain deaf group"))
    assert (result.outcome, result.exit_code, result.signal) == (Outcome.FAILED, None, 9)
    message = "the guard of the process ended without a report (status -9)"
    assert result.error_text == message
    assert attempt.lines[4:] == [(Stream.STDERR, message)]
    marker.wait_until_gone()


def test_a_guard_that_is_told_to_stop_stops_the_command_and_says_cancelled(attempt, marker):
    def stop_guard(_line: str) -> None:
        if len(attempt.lines) == 3:
            guard_of_this_process().terminate()

    attempt.on_line = stop_guard
    result = attempt.run(*marker.tree("plain setsid"))
    assert (result.outcome, result.signal) == (Outcome.CANCELLED, signal.SIGTERM)
    assert marker.processes() == []


def test_a_command_that_ends_well_because_it_was_stopped_was_cancelled(attempt):
    attempt.on_line = lambda _: guard_of_this_process().terminate()
    code = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done"
    result = attempt.run("sh", "-c", code)
    assert (result.outcome, result.exit_code) == (Outcome.CANCELLED, 0)


def test_waiting_for_the_end_costs_no_processor_time(attempt, marker):
    before = resource.getrusage(resource.RUSAGE_CHILDREN), time.process_time()
    attempt.run(*marker.tree("deaf-setsid"), timeout=SECOND / 2, grace_period=2 * SECOND)
    after = resource.getrusage(resource.RUSAGE_CHILDREN), time.process_time()
    assert after[0].ru_utime + after[0].ru_stime - before[0].ru_utime - before[0].ru_stime < 0.3
    assert after[1] - before[1] < 0.3


def test_processes_that_keep_forking_are_ended(attempt, marker):
    code = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(5):
    if os.fork() == 0:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if os.fork() > 0: os._exit(0)
            os.setsid()
        break
"""
    started = time.monotonic()
    result = attempt.run_python(code, marker.text, grace_period=SECOND / 5)
    assert time.monotonic() - started < 15
    assert result.exit_code == 0
    assert marker.processes() == []


def test_the_fallback_for_kernels_without_child_lists_finds_the_same_children():
    code = (
        "import sys; sys.path.append(sys.argv[1])\n"
        "import guard, os, subprocess\n"
        "children = [subprocess.Popen(['sleep', '100']) for _ in range(3)]\n"
        "scanned = guard._children_by_scan(os.getpid())\n"
        "print(sorted(scanned) == sorted(guard._children_from_kernel(os.getpid())), len(scanned))\n"
        "for child in children: child.kill(); child.wait()\n"
    )
    folder = str(Path(runner.__file__).parent)
    output = subprocess.check_output([sys.executable, "-I", "-S", "-c", code, folder], text=True)
    assert output == "True 3\n"
