"""How often a process that ends is started again, and how soon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """At most `most` restarts of one process within `window`; each waits twice as long as the one
    before, beginning with `first_delay`.
    """

    most: int = 5
    window: timedelta = timedelta(minutes=10)
    first_delay: timedelta = timedelta(seconds=1)

    def delay(self, deaths: Sequence[float]) -> timedelta | None:
        """How long to wait after the last of these deaths (seconds of one clock, ascending) until
        the next start; None where the budget is spent.

        >>> RestartPolicy().delay([0.0, 30.0, 60.0])
        datetime.timedelta(seconds=4)
        """
        since = deaths[-1] - self.window.total_seconds()
        recent = sum(death > since for death in deaths)
        return None if recent > self.most else self.first_delay * 2 ** (recent - 1)
