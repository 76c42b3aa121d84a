"""The signals that ask to stop."""

from __future__ import annotations

import signal
from typing import Final

_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequests:
    """Counts the signals that ask to stop: the first is polite, the next ones are in a hurry.

    The handler does nothing but count, since it may run in the middle of anything.
    """

    def __init__(self) -> None:
        self.number = 0

    def listen(self) -> None:
        """Takes the signals over, for the rest of the life of this process. One that is started
        with `nohup` goes on not to hear when its terminal is closed.
        """
        for number in _STOP_SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._hear)

    def _hear(self, *_: object) -> None:
        self.number += 1


class Stopped(Exception):  # noqa: N818 - it is no error
    """The user wants to stop."""
