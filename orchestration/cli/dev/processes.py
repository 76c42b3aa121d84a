"""Starts and stops processes, each with a log file, and each under a guard of its own.

The guard (`runner/guard.py`) keeps hold of everything its process starts, and stops it all when
this process ends, also by SIGKILL.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestration.runner import guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from orchestration.cli.dev.services import Service

GRACE_SECONDS: Final = 6.0
"""Between SIGTERM and SIGKILL: with the guards' own work, all has ended within ten seconds."""
_GUARD_SLACK_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.05
_TAIL_BYTES: Final = 8192


class Process:
    """A running service. Create it in the main thread: its guard lives as long as that thread."""

    def __init__(self, service: Service, *, log: Path, environ: Mapping[str, str]) -> None:
        self.name = service.name
        self.log = log
        self._ending: str | None = None
        _keep_previous(log)
        self._channel, there = socket.socketpair()
        with there, log.open("wb") as output:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__, str(there.fileno())],
                pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._order(service, environ)

    def ended(self) -> str | None:
        """How it ended, as `exit code 1`; None while it runs."""
        if self._ending is None and self._guard.poll() is not None:
            self._ending = _describe(self._report())
        return self._ending

    def stop(self) -> None:
        """Asks it to end, and everything it has started too; SIGKILL follows by itself."""
        self._tell(b"s")

    def kill(self) -> None:
        """Ends it and everything it has started now."""
        self._tell(b"k")

    def abandon(self) -> None:
        """Kills the guard, which did not end in time, and with it the process itself."""
        with suppress(ProcessLookupError):
            os.killpg(self._guard.pid, signal.SIGKILL)
        self._guard.wait()

    def tail(self, lines: int = 20) -> str:
        """The last lines of its log."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])

    def _order(self, service: Service, environ: Mapping[str, str]) -> None:
        order = {
            "argv": service.argv,
            "env": dict(environ),
            "cwd": str(service.working_directory),
            "timeout": None,
            "grace": GRACE_SECONDS,
            "runner": os.getpid(),
        }
        text = json.dumps(order).encode()
        with suppress(OSError):  # the guard is gone already, which `ended` will say
            self._channel.sendall(len(text).to_bytes(8, "big") + text)

    def _tell(self, order: bytes) -> None:
        with suppress(OSError):  # it has ended by itself
            self._channel.sendall(order)

    def _report(self) -> Mapping[str, object]:
        """What the guard, which has ended, said last; empty if it was killed."""
        said = b""
        with suppress(ConnectionResetError):  # it ended before it had read all that it was told
            while part := self._channel.recv(4096):
                said += part
        lines = said.splitlines()
        return json.loads(lines[-1]) if lines else {}


def stop_all(
    processes: Iterable[Process],
    *,
    hurry: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
) -> list[str]:
    """Ends all processes and what they have started; returns the names of those that held out.

    As soon as `hurry` says so, the rest is killed without more waiting.
    """
    waiting = list(processes)
    for process in waiting:
        process.stop()
    deadline = clock() + GRACE_SECONDS + _GUARD_SLACK_SECONDS
    while waiting and clock() < deadline:
        if hurry():
            for process in waiting:
                process.kill()
        time.sleep(_POLL_SECONDS)
        waiting = [process for process in waiting if process.ended() is None]
    for process in waiting:
        process.abandon()
    return [process.name for process in waiting]


def _keep_previous(log: Path) -> None:
    with suppress(FileNotFoundError):
        log.replace(log.with_suffix(".previous.log"))


def _describe(report: Mapping[str, object]) -> str:
    if "failed" in report:
        return f"it could not be started ({report['reason']})"
    if report.get("signal") is not None:
        return f"killed by signal {report['signal']}"
    if report.get("exit_code") is not None:
        return f"exit code {report['exit_code']}"
    return "its guard was killed"
