import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from orchestration.domain.events import ConnectorEvent, TableColumn, TableReport
from orchestration.domain.outcome import Outcome
from orchestration.errors import CommandNotFoundError
from orchestration.runner import Stream

STDOUT, STDERR = Stream.STDOUT, Stream.STDERR


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (0, Outcome.SUCCEEDED),
        (1, Outcome.PARTIAL),
        (2, Outcome.FAILED),
        (7, Outcome.FAILED),
        (127, Outcome.FAILED),
        (130, Outcome.CANCELLED),
        (137, Outcome.FAILED),
        (143, Outcome.CANCELLED),
    ],
)
def test_a_returned_code_is_the_exit_code(attempt, code: int, outcome: Outcome):
    result = attempt.run("sh", "-c", f"exit {code}")
    assert (result.outcome, result.exit_code, result.signal) == (outcome, code, None)
    assert result.reason == f"exit code {code}"


@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        (signal.SIGKILL, Outcome.FAILED),
        (signal.SIGSEGV, Outcome.FAILED),
        (signal.SIGTERM, Outcome.CANCELLED),
        (signal.SIGINT, Outcome.CANCELLED),
    ],
)
def test_a_deadly_signal_is_told_apart_from_the_code_that_a_shell_makes_of_it(
    attempt, number: signal.Signals, outcome: Outcome
):
    result = attempt.run("sh", "-c", f"kill -{int(number)} $$")
    assert (result.outcome, result.exit_code, result.signal) == (outcome, None, number)
    assert result.reason == f"killed by {number.name}"


def test_arguments_arrive_exactly_as_they_are(attempt):
    arguments = [
        "",
        " two  words ",
        "\"double\" 'single'",
        "$HOME ${HOME} `id` $(id) *",
        "line\nbreak\ttab\\n",
        "Zürich €\N{PILE OF POO}",
        "-x; rm -rf / && | > &",
        "\udcff\udcfe",
    ]
    code = "import sys, os; print([os.fsencode(a).hex() for a in sys.argv[1:]])"
    attempt.run_python(code, *arguments)
    assert attempt.lines == [(STDOUT, str([os.fsencode(text).hex() for text in arguments]))]


def test_the_environment_is_exactly_the_one_of_the_spec(attempt):
    environ = {"PATH": os.environ["PATH"], "NAME": "two words\nand lines €", "EMPTY": ""}
    attempt.run_python("print(ascii(open('/proc/self/environ').read()))", environ=environ)
    block = "".join(f"{name}={value}\0" for name, value in environ.items())
    assert attempt.lines == [(STDOUT, ascii(block))]


def test_the_command_is_looked_for_on_its_own_path_and_from_its_own_folder(attempt, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("extract", "load"):
        script = tools / name
        script.write_text(f"#!/bin/sh\necho {name} in $PWD\n")
        script.chmod(0o755)
    attempt.run("extract", environ={"PATH": str(tools)})
    attempt.run("./load", working_directory=tools)
    assert attempt.lines == [(STDOUT, f"extract in {tmp_path}"), (STDOUT, f"load in {tools}")]


def test_three_tenants_each_run_their_own_command(attempt):
    for tenant in ("acme", "globex", "initech"):
        attempt.run(
            "sh",
            "-c",
            f'echo "{tenant} $ORCHESTRATE_TENANT"',
            environ={"PATH": os.environ["PATH"], "ORCHESTRATE_TENANT": tenant},
        )
    assert attempt.lines_of(STDOUT) == ["acme acme", "globex globex", "initech initech"]


def test_both_streams_arrive_line_by_line(attempt):
    result = attempt.run("sh", "-c", "echo out 1; echo err 1 >&2; echo out 2; printf end >&2")
    assert attempt.lines_of(STDOUT) == ["out 1", "out 2"]
    assert attempt.lines_of(STDERR) == ["err 1", "end"]
    assert result.stderr_tail == "err 1\nend"


def test_a_line_arrives_while_the_process_still_runs(attempt, tmp_path):
    answer = tmp_path / "answer"
    attempt.on_line = lambda _: answer.write_text("heard you")
    attempt.run("sh", "-c", "echo question; until [ -s answer ]; do sleep 0.01; done; cat answer")
    assert attempt.lines_of(STDOUT) == ["question", "heard you"]


def test_callbacks_come_in_the_thread_of_the_caller(attempt):
    threads = set()
    attempt.on_line = lambda _: threads.add(threading.current_thread())
    attempt.run("sh", "-c", "echo out; echo err >&2")
    assert threads == {threading.current_thread()}


def test_an_attempt_works_in_a_thread_that_ends_before_the_process(attempt):
    # The parent-death signal is the one of a thread: the guard must not take it for the runner's.
    code = (
        "import os, signal, sys\n"
        "os.kill(os.getppid(), signal.SIGUSR1)\n"
        "print('still here', flush=True)\n"
    )
    results = []
    thread = threading.Thread(target=lambda: results.append(attempt.run_python(code)))
    thread.start()
    thread.join()
    assert [result.outcome for result in results] == [Outcome.SUCCEEDED]
    assert attempt.lines == [(STDOUT, "still here")]


def test_without_input_standard_input_is_empty(attempt):
    assert attempt.run("cat").outcome is Outcome.SUCCEEDED
    assert attempt.lines == []


@pytest.mark.parametrize("size", [0, 5, 1_000_000])
def test_the_input_arrives_whole_and_ends(attempt, size: int):
    result = attempt.run("wc", "-c", stdin=b"x" * size)
    assert (result.outcome, attempt.lines_of(STDOUT)[0].strip()) == (Outcome.SUCCEEDED, str(size))


def test_a_process_may_leave_its_input_unread(attempt):
    assert attempt.run("true", stdin=b"x" * 1_000_000).outcome is Outcome.SUCCEEDED


def test_a_process_may_answer_while_it_is_still_being_fed(attempt):
    result = attempt.run("cat", stdin=b"0123456789abcde\n" * 100_000)
    assert result.outcome is Outcome.SUCCEEDED
    assert set(attempt.lines) == {(STDOUT, "0123456789abcde")}
    assert len(attempt.lines) == 100_000


def test_a_process_may_talk_for_long_before_it_goes_on_reading(attempt):
    code = """
import os, sys
os.read(0, 4096)
for _ in range(5000): os.write(1, b"x" * 99 + b"\\n")
sys.exit(0 if len(sys.stdin.buffer.read()) == 1_000_000 - 4096 else 3)
"""
    result = attempt.run_python(code, stdin=b"y" * 1_000_000)
    assert (result.exit_code, len(attempt.lines)) == (0, 5000)


def test_what_a_process_says_while_nobody_listens_is_not_lost(attempt):
    before = psutil.Process().children()

    def wait_for_the_end(line: str) -> None:
        [guard] = (child for child in psutil.Process().children() if child not in before)
        while line == "first words" and guard.status() != psutil.STATUS_ZOMBIE:
            os.sched_yield()

    attempt.on_line = wait_for_the_end
    code = """
import fcntl, os
fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20)
os.write(1, b"first words\\n")
os.write(1, b"x" * 900_000 + b"\\nlast words")
"""
    attempt.run_python(code)
    assert [len(line) for _, line in attempt.lines] == [11, 900_000, 10]


def test_no_descriptor_of_the_runner_leaks_into_the_process(attempt, tmp_path):
    with (tmp_path / "ours").open("w") as ours:
        os.set_inheritable(ours.fileno(), True)  # noqa: FBT003 - takes no keywords
        attempt.run_python("import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])")
    assert attempt.lines == [(STDOUT, "[0, 1, 2]")]


def test_the_process_starts_without_blocked_or_ignored_signals(attempt):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        attempt.run("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})
    # Signals 32 and 33 are the C library's own: no program can set them, and some parents ignore them.
    own = 1 << (32 - 1) | 1 << (33 - 1)
    states = dict(line.split(":\t") for line in attempt.lines_of(STDOUT))
    assert {name: int(mask, 16) & ~own for name, mask in states.items()} == {
        "SigBlk": 0,
        "SigIgn": 0,
    }


def test_events_are_handed_on_and_summed_up(attempt):
    lines = [
        {"event_type": "metrics_extraction", "records": 3},
        {"event_type": "metrics_writing", "table": "acme.t", "row_count": 3, "columns": []},
        {"event_type": "metrics_writing", "table": "acme.u", "columns": [{"name": "a"}]},
        {"event_type": "metrics_error", "message": "row 2: bad date"},
        {"event_type": "metrics_complete", "records_valid": 2, "share": 0.5, "done": True},
        {"event_type": "unheard_of"},
    ]
    text = "\n".join(map(json.dumps, lines))
    result = attempt.run("sh", "-c", "cat; exit 1", stdin=f"{text}\n".encode())
    assert attempt.events == [
        ConnectorEvent(event_type=line.pop("event_type"), fields=line)
        for line in map(json.loads, text.splitlines()[:-1])
    ]
    assert attempt.lines == [(STDOUT, '{"event_type": "unheard_of"}')]
    assert result.outcome is Outcome.PARTIAL
    assert result.metrics == {"records_valid": 2, "share": 0.5, "done": True}
    assert result.table == TableReport(name="acme.u", columns=(TableColumn(name="a", type=""),))
    assert result.error_text == "row 2: bad date"


def test_the_cost_of_an_attempt_is_measured(attempt):
    code = "data = b'x' * 150_000_000\nimport time\nt = time.process_time()\n"
    code += "while time.process_time() < t + 0.3: pass"
    before = datetime.now(UTC)
    result = attempt.run_python(code)
    assert 150e6 < result.peak_memory_bytes < 250e6
    assert 0.3 <= result.cpu_seconds < 2
    assert before <= result.started_at <= datetime.now(UTC)
    assert timedelta(seconds=0.3) <= result.duration < timedelta(seconds=10)


def test_a_peak_between_two_samples_is_seen_too(attempt):
    code = "import time; time.sleep(0.7); data = b'x' * 150_000_000; del data; time.sleep(0.3)"
    assert 150e6 < attempt.run_python(code).peak_memory_bytes < 250e6


def test_memory_is_summed_over_the_tree_and_cpu_time_includes_what_is_orphaned(attempt):
    code = """
import os, time
done, ready = os.pipe()
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        data = bytearray(os.urandom(1 << 20)) * 60
        while time.process_time() < 0.3: pass
        os.write(ready, b".")
        time.sleep(1000)
for _ in range(3): os.read(done, 1)
time.sleep(1.5)  # longer than the guard waits between two samples
"""
    result = attempt.run_python(code)
    assert 3 * 60e6 < result.peak_memory_bytes < 3 * 60e6 + 150e6
    assert 3 * 0.3 <= result.cpu_seconds < 5


@pytest.mark.parametrize(
    ("name", "reason", "help"),
    [
        (
            "no-such-program",
            "the program `no-such-program` cannot be started: no such file or directory",
            "check its spelling, and for a script that of the program in its first line; a bare name is looked for on the `PATH` of the job, a relative path starts from the working directory",
        ),
        (
            "./notes.txt",
            "the program `./notes.txt` cannot be started: permission denied",
            "make it executable: `chmod +x`",
        ),
        (
            "./script",
            "the program `./script` cannot be started: exec format error",
            "begin the script with the line `#!/bin/sh`, or name its interpreter in `command`",
        ),
    ],
)
def test_a_program_that_cannot_be_started_is_an_error_and_no_exit_code(
    attempt, tmp_path: Path, name: str, reason: str, help: str
):
    (tmp_path / "notes.txt").write_text("notes\n")
    (tmp_path / "script").write_text("echo no first line\n")
    (tmp_path / "script").chmod(0o755)
    with pytest.raises(CommandNotFoundError) as caught:
        attempt.run(name)
    assert (caught.value.reason, caught.value.help) == (reason, help)


def test_a_working_directory_that_does_not_exist_is_named(attempt, tmp_path: Path):
    with pytest.raises(CommandNotFoundError) as caught:
        attempt.run("true", working_directory=tmp_path / "missing")
    assert (caught.value.reason, caught.value.help) == (
        f"the working directory `{tmp_path}/missing` cannot be used: no such file or directory",
        "create the folder, or correct `working_directory` of the job",
    )


def test_arguments_beyond_the_limit_of_the_system_are_named(attempt):
    with pytest.raises(CommandNotFoundError) as caught:
        attempt.run("true", "x" * 200_000)
    assert caught.value.reason == "the program `true` cannot be started: argument list too long"
    assert caught.value.help == "pass long values through a file or through standard input"


def test_an_argument_that_no_process_can_have_is_an_error(attempt):
    with pytest.raises(CommandNotFoundError) as caught:
        attempt.run("true", "nul\0byte")
    assert caught.value.reason == "the program `true` cannot be started: embedded null byte"
    assert caught.value.help == "correct `command` of the job"


def test_a_hundred_megabytes_of_output_pass_in_bounded_memory(tmp_path: Path):
    code = """
import resource, sys
from pathlib import Path
from orchestration.runner import ProcessSpec, run_attempt
count = 0
def on_output(stream, line):
    global count
    count += len(line) + 1
spec = ProcessSpec(
    argv=("sh", "-c", "yes 0123456789012345678901234567890123456789 | head -c 50000000;"
          "yes 0123456789012345678901234567890123456789 | head -c 50000000 >&2"),
    working_directory=Path("/"), environ={"PATH": sys.argv[1]}, secrets=("hunter2!",))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
result = run_attempt(spec, attempt=1, on_output=on_output, on_event=print)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(result.reason, count, len(result.stderr_tail), grown)
"""
    argv = [sys.executable, "-c", code, os.environ["PATH"]]
    output = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    reason, count, tail, grown = " ".join(output[:3]), *map(int, output[3:])
    assert reason == "exit code 0"
    assert 100_000_000 <= count <= 100_000_002
    assert 65_000 < tail <= 65_536
    assert grown < 20_000  # KiB
