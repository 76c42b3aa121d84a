"""One `orchestrate dev` from start to stop: processes, screen, and the way out."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Final

from orchestration.cli.dev.background import Background
from orchestration.cli.dev.processes import Process, stop_all
from orchestration.cli.dev.screen import Event, format_event
from orchestration.cli.dev.signals import Stopped
from orchestration.cli.errors import ServiceDiedError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from orchestration.cli.dev.services import Service
    from orchestration.cli.dev.signals import StopRequests

_START_SECONDS: Final = 180
_STEP_SECONDS: Final = 0.1


class Session:
    """The processes of one `orchestrate dev`, and the threads that watch over files and runs."""

    def __init__(
        self,
        *,
        logs: Path,
        environ: Mapping[str, str],
        requests: StopRequests,
        echo: Callable[[str], None],
    ) -> None:
        self._logs = logs
        self._environ = environ
        self._requests = requests
        self._echo = echo
        self._processes: list[Process] = []
        self._background = Background(lambda event: self.tell([event]))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the processes, in the order of their start."""
        return tuple(process.name for process in self._processes)

    def start(self, service: Service) -> None:
        """Starts the service under guard, with a log file of its name."""
        log = self._logs / f"{service.name}.log"
        self._processes.append(Process(service, log=log, environ=self._environ))

    def wait_until(self, condition: Callable[[], bool], *, what: str) -> None:
        """Returns once the condition holds.

        Raises:
            Stopped: the user has asked for it.
            ServiceDiedError: a process has ended, or it takes too long.
        """
        deadline = time.monotonic() + _START_SECONDS
        while not condition():
            self._look_around()
            if time.monotonic() > deadline:
                raise ServiceDiedError(
                    f"{what} is not ready after {_START_SECONDS} seconds",
                    help=f"see the logs in {self._logs}",
                )
            time.sleep(_STEP_SECONDS)

    def in_background(self, events: Callable[[threading.Event], Iterable[Event]]) -> None:
        """Tells the events that the function yields, from a thread, until the session stops."""
        self._background.start(events)

    def run(self) -> None:
        """Returns never; raises `Stopped` or `ServiceDiedError` when it is over."""
        while True:
            self._look_around()
            time.sleep(_STEP_SECONDS)

    def tell(self, events: Iterable[Event]) -> None:
        """Writes the events, with the time of day."""
        for event in events:
            self._echo(format_event(datetime.now().astimezone(), event))

    def stop(self) -> list[str]:
        """Stops everything; returns the names of the processes that had to be abandoned."""
        self._background.stop()
        before = self._requests.number
        return stop_all(self._processes, hurry=lambda: self._requests.number > before)

    def _look_around(self) -> None:
        if self._requests.number:
            raise Stopped
        for process in tuple(self._processes):
            ending = process.ended()
            if ending is None:
                continue
            if process.vital:
                raise _died(process, ending)
            self._processes.remove(process)
            self.tell([_helper_ended(process, ending)])
        self._background.check()


def _helper_ended(process: Process, ending: str) -> Event:
    text = f"the dev service `{process.name}` ended ({ending}); jobs that need it will fail"
    return Event(
        kind="error", text=f"{text}\nits log is {process.log}; it ends with\n{process.tail()}"
    )


def _died(process: Process, ending: str) -> ServiceDiedError:
    return ServiceDiedError(
        f"the process `{process.name}` ended ({ending}), so everything was stopped",
        help=f"its log is {process.log}; it ends with\n\n{process.tail()}",
    )
