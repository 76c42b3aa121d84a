import json
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.domain.outcome import AttemptResult, Outcome
from orchestration.domain.retry import Disposition, RetryDecision
from orchestration.observability import (
    LogRecord,
    job_finished,
    job_started,
    json_log_line,
    retry_attempt,
)

NOON = datetime(2026, 1, 1, 12, 0, 0, 5000, tzinfo=UTC)


def last(outcome: Outcome, disposition: Disposition | None = None) -> RetryDecision:
    return RetryDecision(
        retry=False,
        rule="max_retries",
        reason="all 1 retries are used up",
        outcome=outcome,
        disposition=disposition,
    )


def make_result(**facts) -> AttemptResult:
    return AttemptResult(attempt=2, started_at=NOON, duration=timedelta(milliseconds=1500), **facts)


def test_a_retry_tells_what_happened_why_and_when_it_goes_on():
    decision = RetryDecision(
        retry=True,
        rule="retryable_exit_codes",
        reason="exit code 137 is retryable",
        delay=timedelta(seconds=20),
        disposition=Disposition.TRANSIENT,
        outcome=Outcome.FAILED,
    )
    result = make_result(outcome=Outcome.FAILED, signal=9)
    assert retry_attempt("acme/orders", result, decision) == LogRecord(
        event_type="retry_attempt",
        level="WARNING",
        fields={
            "job": "acme/orders",
            "attempt": 2,
            "outcome": "failed",
            "ended_by": "killed by SIGKILL",
            "disposition": "transient",
            "rule": "retryable_exit_codes",
            "reason": "exit code 137 is retryable",
            "delay_seconds": 20.0,
        },
    )


def test_the_end_of_a_job_tells_how_and_at_which_cost():
    result = make_result(
        outcome=Outcome.FAILED, exit_code=1, peak_memory_bytes=4096, cpu_seconds=0.25
    )
    decision = last(Outcome.PARTIAL, Disposition.DISCARDABLE)
    assert job_finished("acme/orders", result, decision) == LogRecord(
        event_type="job_finished",
        level="WARNING",
        fields={
            "job": "acme/orders",
            "attempt": 2,
            "outcome": "partial",
            "ended_by": "exit code 1",
            "exit_code": 1,
            "signal": None,
            "duration_seconds": 1.5,
            "peak_memory_bytes": 4096,
            "cpu_seconds": 0.25,
            "disposition": "discardable",
            "rule": "max_retries",
            "reason": "all 1 retries are used up",
            "delay_seconds": None,
        },
    )


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        (Outcome.SUCCEEDED, "INFO"),
        (Outcome.PARTIAL, "WARNING"),
        (Outcome.FAILED, "ERROR"),
        (Outcome.TIMED_OUT, "ERROR"),
        (Outcome.CANCELLED, "WARNING"),
    ],
)
def test_the_level_follows_the_outcome(outcome: Outcome, level: str):
    assert job_finished("acme/orders", make_result(outcome=outcome), last(outcome)).level == level


def test_a_record_is_one_line_of_json():
    line = json_log_line(job_started("acme/orders"), NOON)
    assert json.loads(line) == {
        "event_type": "job_started",
        "level": "INFO",
        "timestamp": "2026-01-01T12:00:00.005+00:00",
        "job": "acme/orders",
    }
    assert "\n" not in line
