"""The structured log of a run: what is told, and its form as a line of JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from orchestration.domain.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from orchestration.domain.events import JsonValue
    from orchestration.domain.outcome import AttemptResult
    from orchestration.domain.retry import RetryDecision

Level = Literal["INFO", "WARNING", "ERROR"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One thing that a run tells: `job_started`, `retry_attempt`, `job_finished`, `breaker_opened`,
    `breaker_closed` or `ledger_unavailable`.
    """

    event_type: str
    level: Level = "INFO"
    fields: Mapping[str, JsonValue]


def job_started(job_id: str) -> LogRecord:
    """The first attempt of the job is about to start."""
    return LogRecord(event_type="job_started", fields={"job": job_id})


def retry_attempt(job_id: str, result: AttemptResult, decision: RetryDecision) -> LogRecord:
    """The attempt is followed by another one, after `delay_seconds` (requirement 004-19)."""
    fields: dict[str, JsonValue] = {
        "job": job_id,
        "attempt": result.attempt,
        "outcome": result.outcome.value,
        "ended_by": result.reason,
        **_decision_fields(decision),
    }
    return LogRecord(event_type="retry_attempt", level="WARNING", fields=fields)


def job_finished(job_id: str, result: AttemptResult, decision: RetryDecision) -> LogRecord:
    """The last attempt of this run has ended. `rule` and `reason` say why no other follows in it,
    and `delay_seconds`, unless it is null, after which time one follows in another run.
    """
    fields: dict[str, JsonValue] = {
        "job": job_id,
        "attempt": result.attempt,
        "outcome": decision.outcome.value,
        "ended_by": result.reason,
        "exit_code": result.exit_code,
        "signal": result.signal,
        "duration_seconds": round(result.duration.total_seconds(), 3),
        "peak_memory_bytes": result.peak_memory_bytes,
        "cpu_seconds": result.cpu_seconds,
        **_decision_fields(decision),
    }
    return LogRecord(event_type="job_finished", level=_LEVELS[decision.outcome], fields=fields)


def breaker_opened(tenant: str, connector: str, state: str) -> LogRecord:
    """The schedules of the tenant leave the connector alone now; `state` says until when."""
    fields: dict[str, JsonValue] = {"tenant": tenant, "connector": connector, "breaker": state}
    return LogRecord(event_type="breaker_opened", level="WARNING", fields=fields)


def breaker_closed(tenant: str, connector: str) -> LogRecord:
    """The connector works again for the tenant, whose schedules run as before."""
    fields: dict[str, JsonValue] = {"tenant": tenant, "connector": connector}
    return LogRecord(event_type="breaker_closed", fields=fields)


def ledger_unavailable(job_id: str, reason: str) -> LogRecord:
    """Breakers and retry budgets could not be asked after an attempt of the job."""
    fields: dict[str, JsonValue] = {"job": job_id, "reason": reason}
    return LogRecord(event_type="ledger_unavailable", level="WARNING", fields=fields)


def _decision_fields(decision: RetryDecision) -> dict[str, JsonValue]:
    return {
        "disposition": decision.disposition and decision.disposition.value,
        "rule": decision.rule,
        "reason": decision.reason,
        "delay_seconds": decision.delay.total_seconds() if decision.retry else None,
    }


def json_log_line(record: LogRecord, at: datetime) -> str:
    """The record as one line of JSON without its line break, in the form of connector events."""
    head = {
        "event_type": record.event_type,
        "level": record.level,
        "timestamp": at.isoformat(timespec="milliseconds"),
    }
    return json.dumps({**head, **record.fields})


_LEVELS: Mapping[Outcome, Level] = {
    Outcome.SUCCEEDED: "INFO",
    Outcome.PARTIAL: "WARNING",
    Outcome.FAILED: "ERROR",
    Outcome.TIMED_OUT: "ERROR",
    Outcome.CANCELLED: "WARNING",
}
