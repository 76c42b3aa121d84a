"""The advisory lock of a job: no overlap where no engine guards against it (cron, by hand)."""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestration.errors import JobAlreadyRunningError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@contextmanager
def job_lock(state_directory: Path, job_id: str) -> Generator[None]:
    """Hold the lock of the job; it ends with the process at the latest, however that dies.

    Raises:
        JobAlreadyRunningError: somebody else holds it. The message names the process.
    """
    path = state_directory / "locks" / f"{job_id}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise _already_running(job_id, path, file.read().strip()) from None
        file.truncate(0)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {now}")
        file.flush()
        yield


def _already_running(job_id: str, path: Path, holder: str) -> JobAlreadyRunningError:
    return JobAlreadyRunningError(
        f"the job `{job_id}` is already running, by {holder or 'another process'}",
        help=f"wait until it has ended, or stop it; the lock is held on `{path}`",
    )
