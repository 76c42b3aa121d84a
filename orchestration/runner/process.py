"""The runner's side of the guard: start it, pump its streams, stop it when interrupted."""

from __future__ import annotations

import json
import math
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from orchestration.runner.output import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.runner.spec import ProcessSpec

_GUARD = str(Path(__file__).with_name("guard.py"))
_CHUNK_BYTES = 64 * 1024
# A signal that the kernel gives to another thread does not wake this one out of a wait.
_LONGEST_WAIT_SECONDS = 0.5
# A guard that needs this much longer than the grace period is held for broken.
_SLACK_SECONDS = 8.0
_DRAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardReport:
    """How the command ended: see `guard.Guard.report`."""

    exit_code: int | None
    signal: int | None
    stopped_because: str | None
    left_behind: int
    survivors: int
    cpu_seconds: float
    peak_memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFailure:
    """Why the command could not be started. `failed` is the step: `start`, `working_directory` or
    `program`; `reason` is what the system says of it, with its number in `errno`.
    """

    failed: str
    errno: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardLost:
    """The guard ended without a report. `returncode` is as `subprocess` gives it."""

    returncode: int


def run_guarded(
    spec: ProcessSpec, on_bytes: Callable[[Stream, bytes], None]
) -> GuardReport | StartFailure | GuardLost:
    """Run a process until nothing of it is left, and say how it ended.

    `on_bytes` gets each chunk of output, and empty bytes at the end of each stream, in the calling
    thread. Whatever is raised in that thread meanwhile, also by a signal handler, first stops the
    process tree (SIGTERM, grace period, SIGKILL) and then goes on. A second exception during the
    grace period cuts it short.
    """
    with closing(_GuardedProcess(spec, on_bytes)) as process:
        try:
            process.start()
            process.pump()
        except BaseException:
            process.stop()
            raise
        return process.result()


class _GuardedProcess:
    def __init__(self, spec: ProcessSpec, on_bytes: Callable[[Stream, bytes], None]) -> None:
        self._spec = spec
        self._on_bytes = on_bytes
        self._guard: subprocess.Popen[bytes] | None = None
        self._stdin = memoryview(spec.stdin or b"")
        self._heard = b""
        self._unread = set[Stream]()
        self._ended = False
        self._selector = selectors.DefaultSelector()
        self._channel, self._far_channel = socket.socketpair()
        self._selector.register(self._channel, selectors.EVENT_READ, self._listen)

    def start(self) -> None:
        """Start the guard, and then give it the order: before that there is nothing to stop."""
        far = self._far_channel.fileno()
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", _GUARD, str(far)],
            bufsize=0,
            cwd="/",
            pass_fds=(far,),
            start_new_session=True,
            stdin=subprocess.DEVNULL if self._spec.stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._far_channel.close()
        self._watch_output(Stream.STDOUT, self._guard.stdout)
        self._watch_output(Stream.STDERR, self._guard.stderr)
        if self._guard.stdin is not None:
            os.set_blocking(self._guard.stdin.fileno(), False)
            write = partial(self._write, self._guard.stdin)
            self._selector.register(self._guard.stdin, selectors.EVENT_WRITE, write)
        with suppress(BrokenPipeError, ConnectionResetError):  # seen as a guard without a report
            self._channel.sendall(_order(self._spec))

    def pump(self, *, patience: float = math.inf) -> None:
        """Hand on what comes until the guard has ended. After `patience` seconds it is killed."""
        give_up_at = time.monotonic() + patience
        while not self._ended:
            self._handle(_LONGEST_WAIT_SECONDS)
            if time.monotonic() >= give_up_at and self._guard is not None:
                self._guard.kill()
        if self._guard is not None and "survivors" not in self._said():
            _kill_session(self._guard.pid)
        drain_until = time.monotonic() + _DRAIN_SECONDS
        while self._unread and time.monotonic() < drain_until and self._handle(0):
            pass
        for stream in sorted(self._unread):  # a survivor holds it open
            self._on_bytes(stream, b"")
        self._unread.clear()

    def stop(self) -> None:
        """Stop the process tree, and wait until it has ended."""
        if self._guard is None:
            return
        try:
            self._far_channel.close()
            self._channel.shutdown(socket.SHUT_WR)
            self.pump(patience=self._spec.grace_period.total_seconds() + _SLACK_SECONDS)
        except BaseException:  # noqa: BLE001 - the first exception is the one that goes on
            self._guard.send_signal(signal.SIGQUIT)
            self.pump(patience=_SLACK_SECONDS)

    def result(self) -> GuardReport | StartFailure | GuardLost:
        """How the process ended, once `pump` has returned."""
        said = self._said()
        if "failed" in said:
            return StartFailure(**{name: said[name] for name in ("failed", "errno", "reason")})
        if "survivors" in said:
            return GuardReport(**said)
        return GuardLost(returncode=self._guard.wait() if self._guard else 0)

    def close(self) -> None:
        """Close what is open and collect the guard, which has ended or is about to."""
        self._selector.close()
        self._channel.close()
        self._far_channel.close()
        if self._guard is not None:
            for pipe in (self._guard.stdin, self._guard.stdout, self._guard.stderr):
                if pipe is not None:
                    pipe.close()
            self._guard.wait()

    def _watch_output(self, stream: Stream, pipe: IO[bytes] | None) -> None:
        if pipe is not None:
            self._unread.add(stream)
            read = partial(self._read, stream, pipe)
            self._selector.register(pipe, selectors.EVENT_READ, read)

    def _handle(self, timeout: float) -> bool:
        """Handle what is ready within `timeout` seconds; whether anything was."""
        ready = self._selector.select(timeout)
        for key, _ in ready:
            key.data()
        return bool(ready)

    def _said(self) -> dict[str, Any]:
        said: dict[str, Any] = {}
        for line in self._heard.splitlines():
            said |= json.loads(line)
        return said

    def _listen(self) -> None:
        said = self._channel.recv(_CHUNK_BYTES)
        self._heard += said
        if not said:
            self._ended = True
            self._selector.unregister(self._channel)

    def _read(self, stream: Stream, pipe: IO[bytes]) -> None:
        data = os.read(pipe.fileno(), _CHUNK_BYTES)
        if not data:
            self._unread.discard(stream)
            self._selector.unregister(pipe)
        self._on_bytes(stream, data)

    def _write(self, pipe: IO[bytes]) -> None:
        try:
            self._stdin = self._stdin[os.write(pipe.fileno(), self._stdin[:_CHUNK_BYTES]) :]
        except BrokenPipeError:  # the process does not read it all
            self._stdin = memoryview(b"")
        if not self._stdin:
            self._selector.unregister(pipe)
            pipe.close()


def _kill_session(guard: int) -> None:
    """SIGKILL to what a guard that is lost has left in its session. The kernel has killed the
    command itself; what has a session of its own can no longer be found.
    """
    import psutil

    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == guard and pid != guard:
                os.kill(pid, signal.SIGKILL)


def _order(spec: ProcessSpec) -> bytes:
    """What the guard is to do, as it reads it: the arguments of `guard.Guard`."""
    order = json.dumps(
        {
            "argv": spec.argv,
            "env": dict(spec.environ),
            "cwd": str(spec.working_directory),
            "timeout": spec.timeout.total_seconds() if spec.timeout else None,
            "grace": spec.grace_period.total_seconds(),
            "runner": os.getpid(),
        }
    ).encode()
    return len(order).to_bytes(8, "big") + order
