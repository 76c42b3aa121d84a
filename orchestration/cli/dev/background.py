"""Threads beside the main loop of `dev` and `up`: they watch, and have something to tell."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from orchestration.cli.dev import files
from orchestration.cli.dev.processes import trim_logs
from orchestration.cli.dev.screen import Event, run_events
from orchestration.cli.dev.ui import UiUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from orchestration.cli.dev.reloader import Reloader
    from orchestration.cli.dev.ui import Ui

_RUNS_SECONDS: Final = 2.0
_LOGS_SECONDS: Final = 60.0
_REMEMBERED: Final = 1000
"""The runs that are known to have been told: many times what ends at one instant."""


class Background:
    """Threads that yield events until `stop`, each of which is told at once."""

    def __init__(self, tell: Callable[[Event], object]) -> None:
        self._tell = tell
        self._stopping = threading.Event()
        self._threads = ThreadPoolExecutor(thread_name_prefix="watch")
        self._work: list[Future[None]] = []

    def start(self, events: Callable[[threading.Event], Iterable[Event]]) -> None:
        """Tells the events that the function yields, from a thread of its own."""
        self._work.append(self._threads.submit(self._tell_all, events))

    def check(self) -> None:
        """Raises what a thread has raised: a bug of ours."""
        for work in self._work:
            if work.done():
                work.result()

    def stop(self) -> None:
        """Lets the threads end; waits for none."""
        self._stopping.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _tell_all(self, events: Callable[[threading.Event], Iterable[Event]]) -> None:
        for event in events(self._stopping):
            self._tell(event)


def watch_workspace(
    reloader: Reloader, snapshot: files.Snapshot, stop: threading.Event
) -> Iterator[Event]:
    """Loads the files anew whenever they differ from the snapshot; what there is to tell then."""

    def look() -> files.Snapshot:
        workspace = reloader.workspace
        return files.take_snapshot(workspace.runner_file, workspace.watched)

    for _ in files.watch(look, before=snapshot, stop=stop):
        yield from reloader.reload()


def watch_logs(logs: Path, stop: threading.Event) -> Iterator[Event]:
    """Keeps the logs of processes that go on for months from filling the disk."""
    while not stop.wait(_LOGS_SECONDS):
        yield from (Event(kind="error", text=text) for text in trim_logs(logs))


def watch_runs(ui: Ui, url: str, stop: threading.Event) -> Iterator[Event]:
    """The events of each run that ends from now on."""
    since = time.time()
    seen: deque[str] = deque(maxlen=_REMEMBERED)
    while not stop.wait(_RUNS_SECONDS):
        try:
            runs = [run for run in ui.finished_runs(since) if run.run_id not in seen]
        except UiUnreachableError:
            continue  # busy or being stopped; a UI that has ended is noticed by its process
        for run in runs:
            seen.append(run.run_id)
            since = max(since, run.updated_at)
            yield from run_events(run, url)
