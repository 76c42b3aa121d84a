"""A process under guard, from its start to its end: its streams are pumped, and it is stopped when
whoever waits for it is interrupted.
"""

from __future__ import annotations

import math
import os
import selectors
import subprocess
import time
from contextlib import closing
from functools import partial
from typing import IO, TYPE_CHECKING

from orchestration.runner.link import GuardLink
from orchestration.runner.output import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.runner.link import GuardLost, GuardReport, StartFailure
    from orchestration.runner.spec import ProcessSpec

_CHUNK_BYTES = 64 * 1024
# A signal that the kernel gives to another thread does not wake this one out of a wait.
_LONGEST_WAIT_SECONDS = 0.5
# A guard that needs this much longer than the grace period is held for broken.
_SLACK_SECONDS = 8.0
_DRAIN_SECONDS = 1.0


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
            return process.pump()
        except BaseException:
            process.stop()
            raise


class _GuardedProcess:
    def __init__(self, spec: ProcessSpec, on_bytes: Callable[[Stream, bytes], None]) -> None:
        self._spec = spec
        self._on_bytes = on_bytes
        self._stdin = memoryview(spec.stdin or b"")
        self._unread = set[Stream]()
        self._ended = False
        self._link = GuardLink()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._link, selectors.EVENT_READ, self._listen)

    def start(self) -> None:
        """Start the guard, and give it its order when everything is ready for the output."""
        guard = self._link.start(
            stdin=subprocess.DEVNULL if self._spec.stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._watch_output(Stream.STDOUT, guard.stdout)
        self._watch_output(Stream.STDERR, guard.stderr)
        if guard.stdin is not None:
            os.set_blocking(guard.stdin.fileno(), False)
            write = partial(self._write, guard.stdin)
            self._selector.register(guard.stdin, selectors.EVENT_WRITE, write)
        self._link.order(self._spec)

    def pump(self, *, patience: float = math.inf) -> GuardReport | StartFailure | GuardLost:
        """Hand on what comes until the guard has ended, and say how the process ended. After
        `patience` seconds the guard is killed.
        """
        give_up_at = time.monotonic() + patience
        while not self._ended:
            self._handle(_LONGEST_WAIT_SECONDS)
            if time.monotonic() >= give_up_at:
                self._link.abandon()
        report = self._link.report()
        drain_until = time.monotonic() + _DRAIN_SECONDS
        while self._unread and time.monotonic() < drain_until and self._handle(0):
            pass
        for stream in sorted(self._unread):  # a survivor holds it open
            self._on_bytes(stream, b"")
        self._unread.clear()
        return report

    def stop(self) -> None:
        """Stop the process tree, and wait until it has ended."""
        if self._link.guard is None:
            return
        try:
            self._link.stop()
            self.pump(patience=self._spec.grace_period.total_seconds() + _SLACK_SECONDS)
        except BaseException:  # noqa: BLE001 - the first exception is the one that goes on
            self._link.hurry()
            self.pump(patience=_SLACK_SECONDS)

    def close(self) -> None:
        """Close what is open."""
        self._selector.close()
        self._link.close()

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

    def _listen(self) -> None:
        if not self._link.listen():
            self._ended = True
            self._selector.unregister(self._link)

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
