"""Schedules that failures in a row have paused, and the instants at which people resumed them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from orchestration.defs.history import InstanceHistory
from orchestration.defs.shared_values import SharedValues
from orchestration.domain.pause import explain_pause
from orchestration.domain.stamps import parse_stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from orchestration.defs.shared_values import Connect
    from orchestration.domain.schedule import Schedule

_logger = logging.getLogger(__name__)


class Pauses:
    """Those of one instance. `clock` tells an aware instant."""

    def __init__(
        self, connect: Connect, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._connect = connect
        self._values = SharedValues(connect)
        self._clock = clock

    def resume(self, schedule: str) -> None:
        """Let the runs that have ended up to now count no more against the schedule of that name."""
        self._values.write_text(_resumed_key(schedule), self._clock().isoformat())

    def resumed(self, schedule: str) -> datetime | None:
        """When the schedule of that name was resumed last; None if it never was, or if what is kept
        of it cannot be read.
        """
        key = _resumed_key(schedule)
        value = self._values.read_texts([key]).get(key)
        try:
            return parse_stamp(value) if value else None
        except ValueError:
            _logger.warning("the value of `%s` cannot be read: %s", key, value)
            return None

    def reasons(self, schedules: Iterable[Schedule]) -> dict[str, str]:
        """Why `max_consecutive_errors` has paused schedules, by their names."""
        reasons = {
            schedule.name: explain_pause(
                schedule,
                InstanceHistory(self._connect, schedule.job_id),
                partial(self.resumed, schedule.name),
            )
            for schedule in schedules
        }
        return {name: reason for name, reason in reasons.items() if reason}


def _resumed_key(schedule: str) -> str:
    return f"orchestration/resumed/{schedule}"
