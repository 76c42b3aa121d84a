"""Keeps processes running: starts each when it may, and again when it has ended."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from orchestration.cli.dev.processes import stop_all
from orchestration.cli.dev.screen import Event
from orchestration.cli.errors import ServiceDiedError
from orchestration.cli.up.restarts import RestartPolicy
from orchestration.domain.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from orchestration.cli.dev.plan import Part
    from orchestration.cli.dev.processes import RunningProcess
    from orchestration.cli.dev.services import Service


_LOOK_SECONDS: Final = 5.0
_MOST_MISSES: Final = 3


@dataclass(slots=True)
class _Place:
    """Where a process of the part runs, or is to run from `start_at` on.

    `misses` counts the looks in a row that found it defunct; None before it has worked.
    """

    part: Part
    process: RunningProcess | None = None
    start_at: float = 0.0
    deaths: list[float] = field(default_factory=list[float])
    look_at: float = 0.0
    misses: int | None = None


class Supervisor:
    """The processes of some parts. `spawn` starts one, `tell` hears of each start and end."""

    def __init__(
        self,
        parts: Iterable[Part],
        *,
        spawn: Callable[[Service], RunningProcess],
        tell: Callable[[Event], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = {part.service.name: _Place(part) for part in parts}
        self._spawn = spawn
        self._tell = tell
        self._policy = RestartPolicy()
        self._clock = clock

    @property
    def is_complete(self) -> bool:
        """Whether every part has a process."""
        return all(place.process for place in self._places.values())

    def has_started(self, name: str) -> bool:
        """Whether the part of that name has ever had a process."""
        place = self._places[name]
        return place.process is not None or bool(place.deaths)

    def step(self) -> None:
        """Looks once at each part: notices what has ended, starts what is due and may start.

        Raises:
            ServiceDiedError: one of them has ended too often.
        """
        for name, place in self._places.items():
            ending = place.process.ended() if place.process else None
            if ending is not None:
                self._note_end(name, place, ending)
            is_due = place.process is None and self._clock() >= place.start_at
            if is_due and place.part.may_start():
                place.process = self._spawn(place.part.service)
                place.misses = None
                self._tell(Event(kind="started", text=name))
            if place.process and self._clock() >= place.look_at:
                self._look(name, place, place.process)

    def stop(self, names: Collection[str] | None = None, *, hurry: Callable[[], bool]) -> list[str]:
        """Stops all parts, or those of these names, for good; see `stop_all`."""
        chosen = [name for name in self._places if names is None or name in names]
        places = [self._places.pop(name) for name in chosen]
        return stop_all([place.process for place in places if place.process], hurry=hurry)

    def _look(self, name: str, place: _Place, process: RunningProcess) -> None:
        """Kills a process that has worked, and is defunct for some time; that ends it."""
        place.look_at = self._clock() + _LOOK_SECONDS
        if not place.part.is_defunct():
            place.misses = 0
        elif place.misses is not None:
            place.misses += 1
            if place.misses == _MOST_MISSES:
                self._tell(Event(kind="error", text=f"{name} does not work any more; it is killed"))
                process.kill()

    def _note_end(self, name: str, place: _Place, ending: str) -> None:
        process, place.process = place.process, None
        assert process is not None  # noqa: S101 - it has ended
        place.deaths.append(self._clock())
        delay = self._policy.delay(place.deaths)
        if delay is None:
            raise ServiceDiedError(
                f"the process `{name}` ended {self._policy.most + 1} times within"
                f" {format_duration(self._policy.window)} (the last time: {ending}), so everything"
                " was stopped",
                help=f"its log is {process.log}; it ends with\n\n{process.tail()}",
            )
        place.start_at = place.deaths[-1] + delay.total_seconds()
        again = format_duration(delay)
        text = f"{name} ({ending}); it starts again in {again}; its log ends with: "
        self._tell(Event(kind="ended", text=text + (process.tail(1) or "nothing")))
