"""Which options of a schedule go with which triggers: none is accepted without effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.config import workspace_rules
from orchestration.config.words import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.config.document import Document, Place
    from orchestration.config.runner_file import ScheduleEntry

_TIMED = frozenset({"cron", "interval_seconds"})
_TIMED_ONLY = ("catch_up", "catch_up_window", "spread")
_CONTINUOUS_ONLY = ("minimum_gap_seconds", "error_backoff_seconds", "max_error_backoff_seconds")


def check_options(document: Document, place: Place, entry: ScheduleEntry, trigger: str) -> None:
    """Report the options of the entry at `place` that do not go with its `trigger`."""
    for option, owners in _find_foreign(entry, trigger):
        document.report(
            workspace_rules.FOREIGN_OPTION,
            (*place, option),
            on="key",
            option=option,
            owners=owners,
            name=show(entry.name),
        )
    if trigger == "continuous" and entry.error_backoff_seconds > entry.max_error_backoff_seconds:
        document.report(
            workspace_rules.BACKOFF_ABOVE_LIMIT,
            (*place, "error_backoff_seconds"),
            initial=entry.error_backoff_seconds,
            longest=entry.max_error_backoff_seconds,
        )


def _find_foreign(entry: ScheduleEntry, trigger: str) -> Iterator[tuple[str, str]]:
    """The options that do not go with the trigger, and what they go with."""
    given = entry.model_fields_set
    if trigger != "continuous":
        yield from ((key, "`continuous`") for key in _CONTINUOUS_ONLY if key in given)
    if trigger not in _TIMED:
        owners = "`cron` and `interval_seconds`"
        yield from ((key, owners) for key in _TIMED_ONLY if key in given)
        if "timezone" in given and not (entry.start or entry.end):
            yield "timezone", "`cron`, `start` and `end`"
    elif "catch_up_window" in given and entry.catch_up != "all":
        yield "catch_up_window", "`catch_up: all`"
