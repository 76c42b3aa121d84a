"""What `orchestrate up` writes: one line an event, for people or for a log collector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from orchestration.observability import LogRecord, json_log_line

if TYPE_CHECKING:
    from datetime import datetime

    from orchestration.cli.dev.screen import Event
    from orchestration.observability.log import Level

_LEVELS: Final[dict[str, Level]] = {
    "ended": "WARNING",
    "error": "ERROR",
    "failed": "ERROR",
    "partial": "WARNING",
    "cancelled": "WARNING",
    "cancelling": "WARNING",
    "problem": "WARNING",
    "note": "WARNING",
    "opened": "WARNING",
    "retry": "WARNING",
}


def text_line(at: datetime, event: Event) -> str:
    """`2026-01-31T12:00:03+01:00 reloaded 9 jobs, 6 schedules, 3 tenants`."""
    return f"{at.isoformat(timespec='seconds')} {_kind(event)} {_text(event)}"


def json_line(at: datetime, event: Event) -> str:
    """The event in the form of the logs of runs, its kind as `event_type`."""
    kind = _kind(event)
    record = LogRecord(
        event_type=kind, level=_LEVELS.get(kind, "INFO"), fields={"text": _text(event)}
    )
    return json_log_line(record, at)


def _kind(event: Event) -> str:
    """An event without a kind is a problem of a file, shown as `validate` shows it."""
    return event.kind or "problem"


def _text(event: Event) -> str:
    return " ".join(click.unstyle(event.text).split())
