"""Starts the work process of a run in a moment: it has imported everything, and forks.

Importing Dagster takes more than a second of CPU time, which its own launcher pays anew for every
run; this process has paid it once. It has no thread, no database and no channel open when it forks.
What it forks does what `dagster api execute_run` does, in a session of its own.

It answers one line of JSON a connection on a Unix socket, see `RunServer.answer`. When it is told
to stop, it stops its workers and waits for them. If it is killed, they stop by themselves.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
from collections import OrderedDict
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Protocol, Self

from orchestration.runner.lease import hold, is_held

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

INDEX_VARIABLE: Final = "ORCHESTRATE_INDEX"
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_REMEMBERED: Final = 10_000
_REQUEST_SECONDS: Final = 5.0
_LINGER_SECONDS: Final = 0.1
_LARGEST_REQUEST: Final = 1 << 20


class _Closable(Protocol):
    def close(self) -> None: ...


class RunServer:
    """The workers by the ids of their runs, and how the latest ones ended.

    `work` is what a worker does with the order that came with its run; it returns the exit code.
    `bury` is called in a process of its own with the order and the cause when a worker was killed,
    and nothing of what it had started is left.

    In the folder `leases` each worker holds a lease, by the id of its run. It tells what is left of
    a worker that was killed, also of one that an earlier server has started.
    """

    def __init__(
        self, *, work: Callable[[str], int], bury: Callable[[str, str], object], leases: Path
    ) -> None:
        self._work = work
        self._bury = bury
        self._leases = leases
        self._runs: dict[int, tuple[str, str]] = {}
        self._lingering: dict[str, tuple[str, int, int]] = {}
        self._burials: set[int] = set()
        self._endings: OrderedDict[str, str] = OrderedDict()
        self._stopping = False
        self._open: list[_Closable] = []

    def serve(self, path: Path) -> None:
        """Listen at `path` until a signal says stop and the last worker has ended."""
        self._leases.mkdir(parents=True, exist_ok=True)
        for lease in self._leases.iterdir():
            self._drop(lease.name)
        listener = _listen(path)
        with listener, _Signals() as signals, selectors.DefaultSelector() as selector:
            self._open = [listener, signals, selector]
            selector.register(listener, selectors.EVENT_READ)
            selector.register(signals.reader, selectors.EVENT_READ)
            while self._runs or self._lingering or self._burials or not self._stopping:
                timeout = _LINGER_SECONDS if self._lingering else None
                ready = {key.fileobj for key, _ in selector.select(timeout)}
                if signals.reader in ready and signals.take() and not self._stopping:
                    self._stopping = True
                    self._signal_all()
                self._reap()
                self._note_ends()
                if listener in ready:
                    self._accept(listener)

    def answer(self, request: Mapping[str, str]) -> dict[str, str]:
        """What a request gets: `{"state": ..., "detail": ...}`, where the state is `running`, `ended`,
        `unknown`, or `stopping`: the worker has gone, and what it had started has not yet.

        `start` starts the worker of a run, once, and `stop` sends it SIGTERM; `look` does nothing.
        """
        run_id = request["run_id"]
        if Path(run_id).name != run_id:
            raise ValueError(f"`{run_id}` is not the id of a run")
        pid = self._pid(run_id)
        if pid is None and (run_id in self._lingering or is_held(self._leases / run_id)):
            return {
                "state": "stopping",
                "detail": "its process was killed, and is being cleared up",
            }
        match request["do"]:
            case "start" if pid is None:
                if self._stopping:
                    return {"state": "unknown", "detail": "the run server is stopping"}
                pid = self._start(run_id, request["order"])
            case "stop" if pid is not None:
                os.kill(pid, signal.SIGTERM)
            case _:
                pass
        if pid is not None:
            return {"state": "running", "detail": f"process {pid}"}
        if run_id in self._endings:
            return {"state": "ended", "detail": self._endings[run_id]}
        return {"state": "unknown", "detail": "this run server has not started it"}

    def _pid(self, run_id: str) -> int | None:
        return next((pid for pid, (mine, _) in self._runs.items() if mine == run_id), None)

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):  # who asked has gone; it will ask again
            self._open[3:] = [connection]
            connection.settimeout(_REQUEST_SECONDS)
            request = _read_line(connection)
            try:
                answer = self.answer(json.loads(request))
            except (ValueError, KeyError, TypeError) as error:
                answer = {"state": "refused", "detail": repr(error)}
            connection.sendall(json.dumps(answer).encode())

    def _start(self, run_id: str, order: str) -> int:
        def act() -> int:
            hold(self._leases / run_id)
            return self._work(order)

        pid = self._fork(f"run {run_id[:8]}", act)
        self._runs[pid] = (run_id, order)
        return pid

    def _fork(self, name: str, act: Callable[[], object]) -> int:
        server = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal that falls between fork and the new process's own handlers is not lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                for mine in self._open:
                    mine.close()
                _become(name, server, act)
            return pid
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._runs:
                run_id, order = self._runs.pop(pid)
                self._lingering[run_id] = (order, pid, os.waitstatus_to_exitcode(status))
            self._burials.discard(pid)

    def _note_ends(self) -> None:
        """Of the workers that have ended with all that they had started."""
        for run_id in [run_id for run_id in self._lingering if self._drop(run_id)]:
            order, pid, code = self._lingering.pop(run_id)
            ending = f"exit code {code}" if code >= 0 else f"killed by {_signal_name(-code)}"
            self._endings[run_id] = ending
            if len(self._endings) > _REMEMBERED:
                self._endings.popitem(last=False)
            if code < 0:
                self._start_burial(order, f"its process {pid} was {ending}")

    def _start_burial(self, order: str, cause: str) -> None:
        with suppress(OSError):  # the system has no process left; run monitoring will see to it
            self._burials.add(self._fork("bury", lambda: self._bury(order, cause)))

    def _drop(self, run_id: str) -> bool:
        """Whether nobody holds the lease of the run; it is removed then."""
        lease = self._leases / run_id
        if is_held(lease):
            return False
        lease.unlink(missing_ok=True)
        return True

    def _signal_all(self) -> None:
        for pid in self._runs:
            os.kill(pid, signal.SIGTERM)


class _Signals:
    """Turns SIGCHLD and the signals that say stop into something that can be waited for."""

    def __enter__(self) -> Self:
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)  # noqa: FBT003 - so it is called
        self._writer.setblocking(False)  # noqa: FBT003 - so it is called
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (*_STOP_SIGNALS, signal.SIGCHLD):
            signal.signal(number, _ignore)
        return self

    def take(self) -> bool:
        """Whether one of the signals since the last time says stop."""
        with suppress(BlockingIOError):
            return any(number in _STOP_SIGNALS for number in self.reader.recv(4096))
        return False

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """From here on the signals are ignored."""
        signal.set_wakeup_fd(-1)
        self.reader.close()
        self._writer.close()


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """The wake-up socket has got the number already."""


def _become(name: str, server: int, act: Callable[[], object]) -> NoReturn:
    """What a forked process does: `act`, and nothing that the server had in mind."""
    code = 1
    try:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
        os.setsid()
        _tie_to(server, name)
        result = act()
        code = result if isinstance(result, int) else 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException as error:  # noqa: BLE001 - the server's own code must not go on in here
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _tie_to(server: int, name: str) -> None:
    """Ask the kernel to send SIGTERM when the server dies, and to show `name` in `ps`."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        libc.prctl(_PR_SET_NAME, name.encode())
    if os.getppid() != server:
        os._exit(1)


def _listen(path: Path) -> socket.socket:
    """A socket that only this user can connect to."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(128)
    return listener


def _read_line(connection: socket.socket) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n") and len(received) < _LARGEST_REQUEST:
        part = connection.recv(65536)
        if not part:
            break
        received += part
    return bytes(received)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def preload() -> None:
    """Import all that a run worker will need."""
    import_module("orchestration.defs.run_worker").preload()
    gc.collect()
    gc.freeze()


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    parser.add_argument("--index", required=True, help="the index that workers take jobs from")
    options = parser.parse_args()
    os.environ[INDEX_VARIABLE] = options.index
    preload()
    from orchestration.defs import run_worker

    leases = Path(options.index).with_name("leases")
    RunServer(work=run_worker.work, bury=run_worker.bury, leases=leases).serve(options.socket)


if __name__ == "__main__":
    main()
