from datetime import UTC, datetime, timedelta

import click
import pytest

from orchestration.cli.narration import TextNarrator, describe_end, describe_record
from orchestration.domain.events import TableReport
from orchestration.domain.outcome import AttemptResult, Outcome
from orchestration.domain.retry import NO_RETRIES, Refusal, RetryPolicy, decide
from orchestration.observability import (
    breaker_closed,
    breaker_opened,
    job_finished,
    job_started,
    retry_attempt,
)


def make_result(outcome, **facts):
    return AttemptResult(
        **{
            "outcome": outcome,
            "attempt": 1,
            "started_at": datetime(2026, 1, 1, tzinfo=UTC),
            "duration": timedelta(seconds=2.1),
            **facts,
        }
    )


def end(outcome, **facts):
    result = make_result(outcome, **facts)
    return click.unstyle(describe_end("acme/orders", result))


@pytest.mark.parametrize(
    ("outcome", "facts", "text"),
    [
        (Outcome.SUCCEEDED, {"exit_code": 0}, "acme/orders: succeeded in 2.1s"),
        (
            Outcome.SUCCEEDED,
            {"exit_code": 0, "table": TableReport(name="acme.orders", row_count=28257)},
            "acme/orders: succeeded in 2.1s, 28,257 rows in acme.orders",
        ),
        (
            Outcome.PARTIAL,
            {"exit_code": 1, "table": TableReport(name="acme.orders", row_count=1)},
            "acme/orders: partial success in 2.1s, exit code 1, 1 row in acme.orders",
        ),
        (
            Outcome.FAILED,
            {"signal": 9, "attempt": 3},
            "acme/orders: failed in 2.1s, killed by SIGKILL, 3 attempts",
        ),
        (Outcome.TIMED_OUT, {"signal": 15}, "acme/orders: timed out in 2.1s"),
    ],
)
def test_the_summary_says_outcome_duration_cause_and_rows(outcome, facts, text):
    assert end(outcome, **facts) == text


POLICY = RetryPolicy(max_retries=1, initial_delay=timedelta(seconds=90), retry_on_timeout=True)


@pytest.mark.parametrize(
    ("outcome", "facts", "text"),
    [
        (
            Outcome.FAILED,
            {"exit_code": 2},
            "attempt 1 failed (exit code 2); again in 1m30s, because exit code 2 is retryable",
        ),
        (
            Outcome.PARTIAL,
            {"exit_code": 1},
            "attempt 1 partial success (exit code 1); again in 1m30s, because exit code 1 is retryable",
        ),
        (
            Outcome.TIMED_OUT,
            {"signal": 15},
            "attempt 1 timed out; again in 1m30s, because time-outs are retryable",
        ),
    ],
)
def test_a_retry_is_told_with_its_cause_and_its_delay(outcome, facts, text):
    result = make_result(outcome, **facts)
    record = retry_attempt(
        "acme/orders", result, decide(POLICY, result, delay=POLICY.delay(1, seed="run"))
    )

    assert describe_record(record) == text


@pytest.mark.parametrize(
    ("policy", "outcome", "facts", "text"),
    [
        (POLICY, Outcome.FAILED, {"exit_code": 3}, "exit code 3 is not retryable"),
        (POLICY, Outcome.FAILED, {"exit_code": 2, "attempt": 2}, "the only retry is used up"),
        (POLICY, Outcome.SUCCEEDED, {"exit_code": 0, "attempt": 2}, None),
        (NO_RETRIES, Outcome.FAILED, {"exit_code": 2}, None),
        (NO_RETRIES, Outcome.FAILED, {"exit_code": 3}, None),
    ],
)
def test_that_no_other_attempt_follows_is_told_where_one_was_asked_for(
    policy, outcome, facts, text
):
    result = make_result(outcome, **facts)
    record = job_finished("acme/orders", result, decide(policy, result, delay=timedelta(0)))

    assert describe_record(record) == (f"no further attempt: {text}" if text else "")


def test_a_breaker_that_opens_or_closes_is_told():
    opened = breaker_opened("acme", "csv", "open since noon; the next probe is at one")

    assert describe_record(opened) == (
        "the breaker of `csv` for tenant `acme` is open since noon; the next probe is at one"
    )
    assert describe_record(breaker_closed("acme", "csv")) == (
        "the breaker of `csv` for tenant `acme` is closed again"
    )


def test_a_reason_that_was_just_told_is_not_told_again(capsys):
    state = "open since noon; the next probe is at one"
    reason = f"the breaker of `csv` for tenant `acme` is {state}"
    result = make_result(Outcome.FAILED, exit_code=2)
    decision = decide(POLICY, result, delay=timedelta(0))
    end = job_finished(
        "acme/orders", result, decision.refused(Refusal(rule="breaker", reason=reason))
    )
    opening, later = TextNarrator(), TextNarrator()

    opening.log(breaker_opened("acme", "csv", state))
    opening.log(end)
    later.log(end)

    assert capsys.readouterr().err.splitlines() == [
        reason,
        "no further attempt",
        f"no further attempt: {reason}",
    ]


def test_the_start_of_a_job_is_not_told_to_people():
    assert describe_record(job_started("acme/orders")) == ""
