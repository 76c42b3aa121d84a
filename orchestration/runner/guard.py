"""The guard of one attempt: a small process between the runner and the command.

It is started by its path as `python -I -S guard.py CHANNEL [LEASE ...]`, so it uses the standard library only.
It exists because a runner that is killed cannot clean up after itself, and because only an
ancestor that is a *subreaper* keeps hold of processes that called `setsid` or were orphaned on
purpose. Nothing that the command started outlives the guard.

A LEASE is the number of a descriptor to keep open (`lease.py`), CHANNEL that of a connected
socket. The runner sends one order (8 bytes of length, then
JSON: the arguments of `Guard`). When it closes its side, or dies, the command is stopped: SIGTERM,
grace period, SIGKILL; SIGQUIT to the guard skips the rest of the grace period. The guard answers
in lines of JSON: `{"failed": ...}` if the command could not be started, and when everything has
ended how that was (see `Guard.report`); then it exits.

On systems other than Linux there are no subreapers and no /proc: there the process group of the
command is all that the guard knows.
"""

# ruff: noqa: PTH110, PTH123, PTH208 - pathlib would double the time that the guard takes to start
from __future__ import annotations

import ctypes
import json
import math
import os
import resource
import select
import signal
import sys
import time
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_RUNNER_DIED = signal.SIGUSR1
_KILL_NOW = signal.SIGQUIT
_HANDLED = (*_STOP_SIGNALS, _RUNNER_DIED, _KILL_NOW, signal.SIGCHLD)
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
# Helpers such as multiprocessing's resource tracker end by themselves just after the command.
_SETTLE_SECONDS = 0.5
_KILL_AGAIN_SECONDS = 0.05
_GIVE_UP_SECONDS = 5.0
_FIRST_SAMPLE_SECONDS = 0.01
_SLOWEST_SAMPLE_SECONDS = 1.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MAXRSS_UNIT_BYTES = 1024 if _LINUX else 1


class Guard:
    """One command from its start until nothing of it is left.

    `timeout` and `grace` are seconds, `runner` is the process id of who gave the order.
    """

    def __init__(
        self,
        channel: int,
        *,
        argv: list[str],
        env: dict[str, str],
        cwd: str,
        timeout: float | None,
        grace: float,
        runner: int,
    ) -> None:
        self._channel = channel
        self._argv = argv
        self._env = env
        self._cwd = cwd
        self._timeout = math.inf if timeout is None else timeout
        self._grace = grace
        self._runner = runner
        self._wakeup = _open_wakeup()
        self._watched = [channel, self._wakeup]
        self._command = 0
        self._status: int | None = None
        self._stopped_because: str | None = None
        self._stop_reason = "timeout"
        self._stop_at = self._kill_at = self._give_up_at = math.inf
        self._sample_at = 0.0
        self._sample_gap = _FIRST_SAMPLE_SECONDS
        self._peak_bytes = 0
        self._left_behind = 0

    def start(self) -> None:
        """Tie this process to the runner, and start the command in a process group of its own."""
        if _LINUX:
            _prctl(_PR_SET_CHILD_SUBREAPER, 1)
            _prctl(_PR_SET_PDEATHSIG, _RUNNER_DIED)
        # No signal may fall between fork and exec: this program's copy would handle it, in vain.
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        guard = os.getpid()
        self._command = os.fork()
        if self._command == 0:
            self._become_command(guard)
        with suppress(OSError):  # the command was faster, or has ended already
            os.setpgid(self._command, self._command)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        started = time.monotonic()
        self._stop_at = started + self._timeout
        self._sample_at = started + self._sample_gap
        self._look_for_runner()

    def watch(self) -> None:
        """Wait until the command and its descendants have ended; stop them when it is time."""
        while self._reap():
            now = time.monotonic()
            if now >= self._give_up_at:
                break
            if now >= self._sample_at:
                self._sample(now)
            if now >= self._stop_at:
                self._stop(self._stop_reason)
            if now >= self._kill_at:
                self._kill(now)
            self._wait(min(self._sample_at, self._stop_at, self._kill_at) - now)
        if not _LINUX:
            self._signal_group(signal.SIGKILL)

    def report(self) -> None:
        """Say how the command ended.

        Of `exit_code` and `signal` one is null; both are if the command survived SIGKILL.
        `stopped_because` is null, `timeout`, `signal` (somebody sent one to the guard), `asked`
        (by the runner) or `leftovers`. `left_behind` counts the processes that the command left
        running when it ended, `survivors` those that could not be killed (another user's).
        """
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        code = None if self._status is None else os.waitstatus_to_exitcode(self._status)
        self._send(
            {
                "exit_code": code if code is not None and code >= 0 else None,
                "signal": -code if code is not None and code < 0 else None,
                "stopped_because": self._stopped_because,
                "left_behind": self._left_behind,
                "survivors": len(_descendants()),
                "cpu_seconds": usage.ru_utime + usage.ru_stime,
                "peak_memory_bytes": max(self._peak_bytes, usage.ru_maxrss * _MAXRSS_UNIT_BYTES),
            }
        )

    def _become_command(self, guard: int) -> None:
        failed = "start"
        try:
            os.setpgid(0, 0)
            for number in (*_HANDLED, *_IGNORED_BY_PYTHON):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            if _LINUX:
                _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == guard:
                failed = "working_directory"
                os.chdir(self._cwd)
                failed = "program"
                os.execvpe(self._argv[0], self._argv, self._env)  # noqa: S606 - never a shell
        except (OSError, ValueError) as error:
            number = error.errno if isinstance(error, OSError) else None
            reason = os.strerror(number) if number else str(error)
            self._send({"failed": failed, "errno": number, "reason": reason})
        finally:
            os._exit(127)

    def _reap(self) -> bool:
        """Collect what has ended. Returns whether anything is left."""
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._command:
                    self._status = ended[1]
                    self._stop_reason = "leftovers"
                    self._stop_at = time.monotonic() + _SETTLE_SECONDS
        except ChildProcessError:
            return False
        return True

    def _wait(self, seconds: float) -> None:
        timeout = None if seconds == math.inf else max(0.0, seconds)
        ready, _, _ = select.select(self._watched, [], [], timeout)
        if self._wakeup in ready:
            self._hear(os.read(self._wakeup, 4096))
        if self._channel in ready:  # nothing follows the order: this is end of file
            self._watched.remove(self._channel)
            self._stop("asked")

    def _hear(self, signals: bytes) -> None:
        if any(number in signals for number in _STOP_SIGNALS):
            self._stop("signal")
        if _KILL_NOW in signals:
            self._stop("signal")
            self._kill_at = 0.0
        if _RUNNER_DIED in signals:
            self._look_for_runner()

    def _look_for_runner(self) -> None:
        # The death signal also comes when only the thread ended that started the guard.
        if os.getppid() != self._runner:
            self._stop("asked")

    def _stop(self, reason: str) -> None:
        """SIGTERM, exactly once, to each process; SIGKILL follows after the grace period."""
        self._stop_at = math.inf
        if self._stopped_because:
            return
        self._stopped_because = reason
        self._kill_at = time.monotonic() + self._grace
        everyone = _descendants()
        if reason == "leftovers":
            self._left_behind = len(everyone)
        outside = [pid for pid in everyone if not self._in_group(pid)]
        self._signal_group(signal.SIGTERM)
        for pid in outside:
            _signal(pid, signal.SIGTERM)

    def _in_group(self, pid: int) -> bool:
        try:
            return self._status is None and os.getpgid(pid) == self._command
        except ProcessLookupError:
            return False

    def _signal_group(self, number: int) -> None:
        # Once the command has been reaped, its number may be another group's (Linux needs no more).
        if self._status is None or not _LINUX:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._command, number)
                os.killpg(self._command, signal.SIGCONT)

    def _kill(self, now: float) -> None:
        """SIGKILL to all that is left; repeated, for what was just being started."""
        self._kill_at = now + _KILL_AGAIN_SECONDS
        self._give_up_at = min(self._give_up_at, now + _GIVE_UP_SECONDS)
        self._signal_group(signal.SIGKILL)
        for pid in _descendants():
            _signal(pid, signal.SIGKILL)

    def _sample(self, now: float) -> None:
        self._peak_bytes = max(self._peak_bytes, sum(map(_resident_bytes, _descendants())))
        self._sample_gap = min(2 * self._sample_gap, _SLOWEST_SAMPLE_SECONDS)
        self._sample_at = now + self._sample_gap

    def _send(self, message: dict[str, object]) -> None:
        with suppress(OSError):  # the runner is gone: there is nobody to tell
            os.write(self._channel, json.dumps(message).encode() + b"\n")


def _open_wakeup() -> int:
    """The pipe from which the numbers of the signals that arrive can be read, one byte each."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in _HANDLED:
        signal.signal(number, _wake_up)
    return reading


def _wake_up(_number: int, _frame: FrameType | None) -> None:
    """Nothing: the number goes through the pipe."""


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)


def _descendants() -> list[int]:
    """All processes below this one, parents before their children."""
    found = [os.getpid()]
    for pid in found:  # grows while it is walked
        found += _children(pid)
    return found[1:]


def _children_from_kernel(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with (
                suppress(FileNotFoundError, ProcessLookupError),
                open(f"/proc/{pid}/task/{task}/children", "rb") as file,
            ):
                found += map(int, file.read().split())
    return found


def _children_by_scan(pid: int) -> list[int]:
    """The children of `pid` where the kernel was built without CONFIG_PROC_CHILDREN: slower."""
    found: list[int] = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with (
            suppress(FileNotFoundError, ProcessLookupError),
            open(f"/proc/{name}/stat", "rb") as file,
        ):
            if int(file.read().rpartition(b")")[2].split()[1]) == pid:
                found.append(int(name))
    return found


_children = (
    _children_by_scan
    if _LINUX and not os.path.exists("/proc/thread-self/children")
    else _children_from_kernel
)


def _resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _read(channel: int, size: int) -> bytes:
    received = b""
    while len(received) < size and (part := os.read(channel, size - len(received))):
        received += part
    return received


def main(channel: int, *leases: int) -> None:
    """Carry out the one order that comes through `channel`; the leases are held until the end."""
    for descriptor in (channel, *leases):
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - takes no keywords
    size = int.from_bytes(_read(channel, 8), "big")
    order = _read(channel, size)
    if size and len(order) == size:  # else the runner was gone before it had said everything
        guard = Guard(channel, **json.loads(order))
        guard.start()
        guard.watch()
        guard.report()
    os._exit(0)  # the interpreter needs 3 ms to tidy up, and the runner waits for the end


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
