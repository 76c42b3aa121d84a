"""Starts and stops processes, each with a log file, and each under a guard of its own.

The guard (`runner/guard.py`) keeps hold of everything its process starts, and stops it all when
this process ends, also by SIGKILL.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from orchestration.runner import ProcessSpec
from orchestration.runner.link import GuardLink, GuardLost, GuardReport, StartFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from orchestration.cli.dev.services import Service

GRACE_SECONDS: Final = 6.0
"""Between SIGTERM and SIGKILL: with the guards' own work, all has ended within ten seconds."""
_GUARD_SLACK_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.05
_TAIL_BYTES: Final = 8192
_PREVIOUS: Final = ".previous.log"
LARGEST_LOG_BYTES: Final = 64 * 2**20


class RunningProcess(Protocol):
    """What can be done with a service that was started; `Process` is one."""

    name: str
    log: Path

    def ended(self) -> str | None:
        """How it ended; None while it runs."""

    def stop(self) -> None:
        """Asks it to end."""

    def kill(self) -> None:
        """Ends it now."""

    def abandon(self) -> None:
        """Waits no more for its end."""

    def tail(self, lines: int = 20) -> str:
        """The last lines of its log."""
        ...


class Process:
    """A running service. Create it in the main thread: its guard lives as long as that thread."""

    def __init__(self, service: Service, *, log: Path, environ: Mapping[str, str]) -> None:
        self.name = service.name
        self.vital = service.vital
        self.log = log
        self._ending: str | None = None
        self._link = GuardLink()
        _keep_previous(log)
        with log.open("ab") as output:
            self._link.start(stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        self._link.order(
            ProcessSpec(
                argv=service.argv,
                working_directory=service.working_directory,
                environ=environ,
                grace_period=timedelta(seconds=GRACE_SECONDS),
            )
        )

    def ended(self) -> str | None:
        """How it ended, as `exit code 1`; None while it runs."""
        while self._ending is None and select.select([self._link], [], [], 0)[0]:
            if not self._link.listen():
                self._ending = _describe(self._link.report())
                self._link.close()
        return self._ending

    def stop(self) -> None:
        """Asks it to end, and everything it has started too; SIGKILL follows by itself."""
        self._link.stop()

    def kill(self) -> None:
        """Ends it and everything it has started now."""
        self._link.hurry()

    def abandon(self) -> None:
        """Kills the guard, which did not end in time, and with it the process itself."""
        self._link.abandon()
        self._link.close()

    def tail(self, lines: int = 20) -> str:
        """The last lines of its log."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def stop_all(
    processes: Iterable[RunningProcess],
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


def trim_logs(logs: Path, *, largest: int = LARGEST_LOG_BYTES) -> Iterator[str]:
    """Empties each log in the folder that has grown larger, and keeps what was in it as the one
    before. Its process goes on writing at its end, wherever that is. Yields what went wrong: a full
    disk above all, where a log is emptied and not kept.
    """
    for log in logs.glob("*.log"):
        if log.name.endswith(_PREVIOUS):
            continue
        try:
            if log.stat().st_size > largest:
                _keep_copy(log)
        except FileNotFoundError:
            continue  # its process is being started again at this moment
        except OSError as error:
            os.truncate(log, 0)
            yield f"{log} was emptied, and what was in it could not be kept: {error}"


def _keep_copy(log: Path) -> None:
    shutil.copyfile(log, log.with_suffix(_PREVIOUS))
    os.truncate(log, 0)


def _keep_previous(log: Path) -> None:
    with suppress(FileNotFoundError):
        log.replace(log.with_suffix(_PREVIOUS))


def _describe(report: GuardReport | StartFailure | GuardLost) -> str:
    match report:
        case StartFailure(reason=reason):
            return f"it could not be started ({reason})"
        case GuardLost():
            return "its guard was killed"
        case GuardReport(signal=int(number)):
            return f"killed by signal {number}"
        case GuardReport(exit_code=code):
            return f"exit code {code}"
