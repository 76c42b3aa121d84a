"""The way out of `orchestrate up`: schedules first, then the runs under way, then the rest."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from orchestration.cli.dev.screen import Event
from orchestration.cli.dev.ui import UiUnreachableError
from orchestration.cli.output import count
from orchestration.domain.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestration.cli.dev.processes import RunningProcess
    from orchestration.cli.up.supervisor import Supervisor

_POLL_SECONDS: Final = 0.2
_MOST_NAMES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How to end, in order: no new runs, `patience` for those under way, then their cancellation.

    `runs` are the subjects of the runs under way, or raises UiUnreachableError. `cancel` starts the
    process that cancels them, which is killed if it takes longer than `cancel_within`. `hurried` is
    how many signals have come since the end began: one ends the patience, two end everything.
    """

    runs: Callable[[], Sequence[str]]
    cancel: Callable[[], RunningProcess]
    cancel_within: timedelta
    patience: timedelta
    hurried: Callable[[], int]
    tell: Callable[[Event], object]
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], object] = time.sleep

    def carry_out(self, supervisor: Supervisor) -> list[str]:
        """Returns the names of the processes that had to be killed when nothing runs any more."""
        self._say("stopping", "the schedules")
        left = supervisor.stop(["daemon"], hurry=lambda: self.hurried() > 0)
        if not self.wait_for_runs() and self.hurried() < 2:
            self._cancel_runs()
        self._say("stopping", "everything else")
        return left + supervisor.stop(hurry=lambda: self.hurried() > 1)

    def wait_for_runs(self) -> bool:
        """Whether all runs have ended within the patience."""
        deadline = self.clock() + self.patience.total_seconds()
        told: tuple[str, ...] | None = ()
        while True:
            running = self._ask()
            if running == ():
                return True
            if running != told:
                self._say("waiting", _describe(running, deadline - self.clock()))
                told = running
            if self.clock() >= deadline or self.hurried():
                return False
            self.pause(_POLL_SECONDS)

    def _ask(self) -> tuple[str, ...] | None:
        try:
            return tuple(self.runs())
        except UiUnreachableError:
            return None

    def _cancel_runs(self) -> None:
        self._say("cancelling", "the runs that are still under way")
        deadline = self.clock() + self.cancel_within.total_seconds()
        process = self.cancel()
        while (ending := process.ended()) is None:
            if self.hurried() > 1 or self.clock() >= deadline:
                process.kill()
            self.pause(_POLL_SECONDS)
        if ending != "exit code 0":
            self._say("error", f"not all runs are cancelled ({ending}); see {process.log}")
            return
        for line in process.tail().splitlines():
            self._say("cancelling", line)

    def _say(self, kind: str, text: str) -> None:
        self.tell(Event(kind=kind, text=text))


def _describe(running: tuple[str, ...] | None, seconds: float) -> str:
    if running is None:
        return "for the UI, which knows the runs under way and does not answer"
    shown = ", ".join(running[:_MOST_NAMES])
    rest = f" and {len(running) - _MOST_NAMES} more" if len(running) > _MOST_NAMES else ""
    left = format_duration(timedelta(seconds=max(0, round(seconds))))
    return f"for {count(len(running), 'run')} to end, at most {left}: {shown}{rest}"
