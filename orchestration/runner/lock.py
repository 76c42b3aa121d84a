"""The advisory lock of a job: what is started by hand or by cron, and what Dagster runs, never
overlap.
"""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from orchestration.errors import JobAlreadyRunningError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@contextmanager
def job_lock(state_directory: Path, job_id: str, *, shared: bool = False) -> Generator[None]:
    """Hold the lock of the job; it ends with the process at the latest, however that dies.

    A shared lock is for runs whose number an engine limits: it bears others that are shared, but
    none that is not.

    Raises:
        JobAlreadyRunningError: the other side holds it. The message names a process that does.
    """
    path = state_directory / "locks" / f"{job_id}.lock"
    holders = path.with_name(f"{path.name}.holders")
    holders.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _already_running(job_id, path, _find_holder(holders)) from None
        if not shared:
            _remove_left_records(holders)
        with _record(holders):
            yield


@contextmanager
def _record(holders: Path) -> Generator[None]:
    """Says in a file of its own who holds the lock; its lock tells that from one left behind."""
    with NamedTemporaryFile("w", dir=holders, encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {now}")
        file.flush()
        yield


def _find_holder(holders: Path) -> str:
    for path in sorted(holders.iterdir()):
        with suppress(FileNotFoundError), path.open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read() or "another process"
    return "another process"


def _remove_left_records(holders: Path) -> None:
    """Whoever is the only holder finds the records of killed ones only."""
    for path in holders.iterdir():
        path.unlink(missing_ok=True)


def _already_running(job_id: str, path: Path, holder: str) -> JobAlreadyRunningError:
    return JobAlreadyRunningError(
        f"the job `{job_id}` is already running, by {holder}",
        help=f"wait until it has ended, or stop it; the lock is held on `{path}`",
    )
