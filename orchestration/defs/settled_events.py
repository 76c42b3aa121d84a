"""What Dagster's daemon is told of failed runs, which it repeats if they have crashed.

A failure is written into the log of the run first, and then to the run itself. The daemon looks at
each failure in the log once. One that it sees between the two is not that of a failed run, and the
run is never repeated. So it is shown a failure when the run has failed.
"""

from __future__ import annotations

import time
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from dagster import DagsterEventType
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster import EventLogEntry

# Who has written a failure and nothing more since then is dead.
_LONGEST_SECONDS: Final = 60.0


class SettledEvents(SqlEventLogStorage):
    """A log of events; `get_logs_for_all_runs_by_log_id` is what the daemon asks."""

    def get_logs_for_all_runs_by_log_id(
        self,
        after_cursor: int = -1,
        dagster_event_type: DagsterEventType | set[DagsterEventType] | None = None,
        limit: int | None = None,
    ) -> Mapping[int, EventLogEntry]:
        """The events after the cursor, up to the first one that is not in force yet."""
        found = super().get_logs_for_all_runs_by_log_id(after_cursor, dagster_event_type, limit)
        return dict(takewhile(lambda item: self._is_settled(item[1]), found.items()))

    def _is_settled(self, entry: EventLogEntry) -> bool:
        if entry.dagster_event_type is not DagsterEventType.RUN_FAILURE:
            return True
        run = self._instance.get_run_by_id(entry.run_id)
        is_old = time.time() - entry.timestamp > _LONGEST_SECONDS
        return run is None or run.is_finished or is_old
