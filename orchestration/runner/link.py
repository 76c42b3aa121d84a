"""The owner's end of a guard: start it, order, stop, and hear how the command ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from orchestration.runner import lease

if TYPE_CHECKING:
    from orchestration.runner.spec import ProcessSpec

_GUARD = str(Path(__file__).with_name("guard.py"))
_CHUNK_BYTES = 4096


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


class GuardLink:
    """The connection to one guard. When it is closed, or this process ends, the command is stopped.

    `fileno` is readable when there is something to `listen` to.
    """

    def __init__(self) -> None:
        self.guard: subprocess.Popen[bytes] | None = None
        self._channel, self._far_channel = socket.socketpair()
        self._said = b""

    def start(
        self, *, stdin: int | IO[bytes], stdout: int | IO[bytes], stderr: int | IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start the guard with the streams of the command, as `subprocess` takes them. Until it
        has its order there is nothing to stop: it ends with the link.
        """
        inherited = (self._far_channel.fileno(), *lease.descriptors())
        self.guard = subprocess.Popen(
            [sys.executable, "-I", "-S", _GUARD, *map(str, inherited)],
            bufsize=0,
            cwd="/",
            pass_fds=inherited,
            start_new_session=True,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
        self._far_channel.close()
        return self.guard

    def order(self, spec: ProcessSpec) -> None:
        """Have the guard start the command. A guard that is gone already will have no report."""
        order = {
            "argv": spec.argv,
            "env": dict(spec.environ),
            "cwd": str(spec.working_directory),
            "timeout": spec.timeout.total_seconds() if spec.timeout else None,
            "grace": spec.grace_period.total_seconds(),
            "runner": os.getpid(),
        }
        text = json.dumps(order).encode()
        with suppress(BrokenPipeError, ConnectionResetError):
            self._channel.sendall(len(text).to_bytes(8, "big") + text)

    def stop(self) -> None:
        """Stop the command and all it has started: SIGTERM, grace period, SIGKILL."""
        self._far_channel.close()
        with suppress(OSError):  # it has ended by itself
            self._channel.shutdown(socket.SHUT_WR)

    def hurry(self) -> None:
        """Skip the rest of the grace period."""
        if self.guard is not None:
            self.guard.send_signal(signal.SIGQUIT)

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._channel.fileno()

    def listen(self) -> bool:
        """Take what the guard says, waiting for it. Returns whether the guard goes on."""
        try:
            said = self._channel.recv(_CHUNK_BYTES)
        except ConnectionResetError:  # it ended before it had read its order
            said = b""
        self._said += said
        return bool(said)

    def report(self) -> GuardReport | StartFailure | GuardLost:
        """How the command ended, once `listen` has said that the guard does not go on."""
        said: dict[str, Any] = {}
        for line in self._said.splitlines():
            said |= json.loads(line)
        if "failed" in said:
            return StartFailure(**{name: said[name] for name in ("failed", "errno", "reason")})
        if "survivors" in said:
            return GuardReport(**said)
        return self.abandon()

    def abandon(self) -> GuardLost:
        """Kill a guard that does not work, if it still lives, and what it leaves in its session.

        The kernel kills the command with its guard. What has a session of its own is lost.
        """
        if self.guard is None:
            return GuardLost(returncode=0)
        if self.guard.returncode is None:
            os.kill(self.guard.pid, signal.SIGKILL)
            _kill_session(self.guard.pid)
        return GuardLost(returncode=self.guard.wait())

    def close(self) -> None:
        """Close the link, and wait for the guard, which has ended or is about to."""
        self._channel.close()
        self._far_channel.close()
        if self.guard is not None:
            for pipe in (self.guard.stdin, self.guard.stdout, self.guard.stderr):
                if pipe is not None:
                    pipe.close()
            self.guard.wait()


def _kill_session(leader: int) -> None:
    """SIGKILL to all other processes of a session, whose leader nobody has waited for yet."""
    import psutil

    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError):
            if pid != leader and os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)
