"""What a run tells the outside: events, logs, metrics and traces."""

from orchestration.observability.events import parse_event
from orchestration.observability.log import (
    LogRecord,
    breaker_closed,
    breaker_opened,
    job_finished,
    job_started,
    json_log_line,
    ledger_unavailable,
    retry_attempt,
)

__all__ = [
    "LogRecord",
    "breaker_closed",
    "breaker_opened",
    "job_finished",
    "job_started",
    "json_log_line",
    "ledger_unavailable",
    "parse_event",
    "retry_attempt",
]
