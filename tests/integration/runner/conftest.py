import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from orchestration.domain.events import ConnectorEvent
from orchestration.domain.outcome import AttemptResult
from orchestration.runner import ProcessSpec, Stream, run_attempt

DEADLINE_SECONDS = 20
# Starts one process for each word of the second argument, each of which says when it is ready:
# in the group of the command, in a group or a session of its own, orphaned, deaf to SIGTERM, or several.
_TREE = """
import os, signal, sys, time
for kind in sys.argv[2].split():
    if os.fork() == 0:
        if "deaf" in kind:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if "group" in kind:
            os.setpgid(0, 0)
        if "setsid" in kind:
            os.setsid()
        if "orphan" in kind and os.fork():
            os._exit(0)
        os.write(1, b"ready\\n")
        time.sleep(1000)
        os._exit(0)
os.write(1, b"ready\\n")
if sys.argv[3] == "wait":
    time.sleep(1000)
"""
# A runner: makes one attempt of the command that follows, and says how it ended.
_RUNNER = """
import sys
from datetime import timedelta
from pathlib import Path
from orchestration.runner import ProcessSpec, run_attempt
spec = ProcessSpec(argv=tuple(sys.argv[2:]), working_directory=Path("/"), environ={},
                   grace_period=timedelta(seconds=float(sys.argv[1])))
result = run_attempt(spec, attempt=1, on_event=print,
                     on_output=lambda stream, line: print(line, flush=True))
print(result.reason, flush=True)
"""


@dataclass
class Attempt:
    """Runs real processes, and keeps what they say."""

    folder: Path
    lines: list[tuple[Stream, str]] = field(default_factory=list)
    events: list[ConnectorEvent] = field(default_factory=list)
    on_line: Callable[[str], None] = lambda _: None

    def spec(self, *argv: str, **facts) -> ProcessSpec:
        return ProcessSpec(
            argv=argv,
            **{
                "working_directory": self.folder,
                "environ": {"PATH": os.environ["PATH"]},
                "grace_period": timedelta(seconds=5),
                **facts,
            },
        )

    def run(self, *argv: str, **facts) -> AttemptResult:
        return run_attempt(
            self.spec(*argv, **facts),
            attempt=1,
            on_output=self._on_output,
            on_event=self.events.append,
        )

    def run_python(self, code: str, *arguments: str, **facts) -> AttemptResult:
        return self.run(sys.executable, "-I", "-S", "-c", code, *arguments, **facts)

    def lines_of(self, stream: Stream) -> list[str]:
        return [line for where, line in self.lines if where is stream]

    def _on_output(self, stream: Stream, line: str) -> None:
        self.lines.append((stream, line))
        self.on_line(line)


@dataclass(frozen=True)
class Marker:
    """A word on the command line of each process of a tree, by which it is found again."""

    text: str

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if (
                    process.pid != os.getpid()
                    and process.status() != psutil.STATUS_ZOMBIE
                    and self.text in process.cmdline()
                ):
                    found.append(process)
            except psutil.NoSuchProcess:
                continue
        return found

    def tree(self, kinds: str, then: str = "wait") -> list[str]:
        """The command line of a process that starts others; all of them say `ready`."""
        return [sys.executable, "-I", "-S", "-c", _TREE, self.text, kinds, then]

    def runner_of(self, argv: list[str], grace_seconds: float) -> list[str]:
        """The command line of a runner process that makes one attempt of `argv`."""
        return [sys.executable, "-c", _RUNNER, str(grace_seconds), *argv]

    def wait_until_gone(self) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while left := self.processes():
            assert time.monotonic() < deadline, f"still running: {left}"
            psutil.wait_procs(left, timeout=0.1)


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    return Attempt(tmp_path)


@pytest.fixture
def marker() -> Iterator[Marker]:
    marker = Marker(f"marker-{uuid4().hex}")
    yield marker
    left = marker.processes()
    for process in left:
        process.kill()
    assert left == []


@pytest.fixture(autouse=True)
def no_process_and_no_descriptor_is_left():
    process = psutil.Process()
    before = process.children(), process.num_fds()
    yield
    assert (process.children(), process.num_fds()) == before
