"""Being told to stop: signals of this process as an exception."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal told this process to stop. No `except Exception` catches it."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum


@contextmanager
def stop_on_signals() -> Generator[None]:
    """Within it, SIGINT, SIGTERM and SIGHUP raise `Stopped` in the main thread.

    A signal that is ignored stays so, as under `nohup`. The handlers from before come back at the
    end. Must be entered in the main thread.
    """
    before = {number: signal.getsignal(number) for number in _STOP_SIGNALS}
    heeded = [number for number in _STOP_SIGNALS if before[number] is not signal.SIG_IGN]
    try:
        for number in heeded:
            signal.signal(number, _raise_stopped)
        yield
    finally:
        for number in heeded:
            handler = before[number]
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _raise_stopped(signum: int, _frame: FrameType | None) -> None:
    raise Stopped(signum)
