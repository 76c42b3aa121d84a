"""Notices when YAML files of the workspace are changed, added, renamed or deleted.

Looks at the files themselves rather than listening to the kernel: the same everywhere, also on
network and container mounts, and whichever way an editor saves. A thousand files take 5 ms.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from orchestration.config.files import JOBS_FOLDER, Disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from threading import Event

Fingerprint = tuple[int, int, int]
Snapshot = dict[str, Fingerprint]

INTERVAL_SECONDS: Final = 0.5
LARGEST_SHARE: Final = 0.02
"""Looking takes at most this share of one processor, however many files there are."""
SETTLED_SECONDS: Final = 0.2


def take_snapshot(runner_file: Path, others: Iterable[Path] = ()) -> Snapshot:
    """Modification time in nanoseconds, size and inode of runner.yaml, of all job files beside it,
    and of `others`, as far as they exist. A rename over a file changes its inode.
    """
    jobs = Disk().find(str(runner_file.parent / JOBS_FOLDER))
    paths = {str(runner_file), *(found.path for found in jobs), *map(str, others)}
    marks = {path: _fingerprint(path) for path in paths}
    return {path: mark for path, mark in marks.items() if mark is not None}


def changed_paths(before: Mapping[str, Fingerprint], after: Mapping[str, Fingerprint]) -> list[str]:
    """The paths that were added, changed or deleted, in alphabetical order."""
    every = before.keys() | after.keys()
    return sorted(path for path in every if before.get(path) != after.get(path))


def watch(
    look: Callable[[], Snapshot],
    *,
    before: Snapshot,
    stop: Event,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[list[str]]:
    """The paths that differ from `before`, each time that files have changed and then rested.

    Ends when `stop` is set. A change during the work on the one before is found afterwards.
    """
    pause = INTERVAL_SECONDS
    while not stop.wait(pause):
        started = clock()
        now = look()
        pause = max(INTERVAL_SECONDS, (clock() - started) / LARGEST_SHARE)
        if now == before:
            continue
        settled = _settle(look, now, stop)
        changes = changed_paths(before, settled)
        before = settled
        if changes:
            yield changes


def _settle(look: Callable[[], Snapshot], last: Snapshot, stop: Event) -> Snapshot:
    while not stop.wait(SETTLED_SECONDS):
        now = look()
        if now == last:
            break
        last = now
    return last


def _fingerprint(path: str) -> Fingerprint | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - a Path a file makes looking twice as slow
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
