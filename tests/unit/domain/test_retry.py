from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.domain.outcome import AttemptResult, Outcome
from orchestration.domain.retry import NO_RETRIES, RetryDecision, RetryPolicy, decide

POLICY = RetryPolicy(max_retries=3, initial_delay=timedelta(seconds=10))
PATTERNS = RetryPolicy(
    max_retries=3, retryable_error_patterns=("connection (reset|refused)", "^rate limit")
)


def failed(exit_code: int | None = 2, attempt: int = 1, **facts) -> AttemptResult:
    return AttemptResult(
        **{
            "outcome": Outcome.FAILED,
            "attempt": attempt,
            "started_at": datetime(2026, 1, 1, tzinfo=UTC),
            "duration": timedelta(seconds=3),
            "exit_code": exit_code,
            **facts,
        }
    )


def stop(rule: str, reason: str) -> RetryDecision:
    return RetryDecision(retry=False, rule=rule, reason=reason)


def test_a_listed_code_is_retried_after_the_delay_of_its_attempt():
    assert decide(POLICY, failed(2, attempt=2)) == RetryDecision(
        retry=True,
        rule="retryable_exit_codes",
        reason="exit code 2 is retryable",
        delay=timedelta(seconds=20),
    )


def test_a_code_that_is_not_listed_is_final():
    assert decide(POLICY, failed(3)) == stop("retryable_exit_codes", "exit code 3 is not retryable")


def test_without_retries_nothing_is_repeated():
    assert decide(NO_RETRIES, failed(2)) == stop("max_retries", "the job has no retries")


@pytest.mark.parametrize(("attempt", "retried"), [(1, True), (3, True), (4, False), (9, False)])
def test_attempts_are_one_more_than_retries(attempt: int, retried):
    assert decide(POLICY, failed(2, attempt=attempt)).retry is retried


def test_used_up_retries_are_the_reason_that_is_given():
    assert decide(POLICY, failed(2, attempt=4)) == stop("max_retries", "all 3 retries are used up")


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.SUCCEEDED, "an attempt that succeeded is not repeated"),
        (Outcome.CANCELLED, "an attempt that was cancelled is not repeated"),
        (Outcome.TIMED_OUT, "an attempt that timed out is not repeated"),
    ],
)
def test_some_outcomes_are_never_repeated(outcome: Outcome, reason: str):
    result = failed(2, outcome=outcome)
    assert decide(POLICY, result) == stop("outcome", reason)


def test_a_deadly_signal_is_listed_by_the_number_that_a_shell_shows():
    policy = RetryPolicy(max_retries=1, retryable_exit_codes=frozenset({137}))
    assert decide(policy, failed(None, signal=9)).retry
    assert decide(policy, failed(137)).retry
    assert not decide(policy, failed(None, signal=11)).retry


def test_partial_success_is_repeated_only_if_its_code_is_listed():
    partial = failed(1, outcome=Outcome.PARTIAL)
    assert decide(POLICY, partial).retry
    policy = RetryPolicy(max_retries=1, retryable_exit_codes=frozenset({2}))
    assert decide(policy, partial) == stop("retryable_exit_codes", "exit code 1 is not retryable")


@pytest.mark.parametrize(
    ("code", "stderr", "error", "retried"),
    [
        (2, "psycopg: Connection RESET by peer", "", True),
        (2, "", "connection refused", True),
        (2, "first line\nrate limit hit", "", True),
        (2, "over the rate limit", "", False),
        (2, "", "", False),
        (3, "connection reset", "", False),
    ],
)
def test_a_code_and_a_pattern_must_both_match(code: int, stderr: str, error: str, retried):
    result = failed(code, stderr_tail=stderr, error_text=error)
    assert decide(PATTERNS, result).retry is retried


def test_the_pattern_that_matched_is_named():
    decision = decide(PATTERNS, failed(2, stderr_tail="Connection reset"))
    assert (decision.rule, decision.reason) == (
        "retryable_error_patterns",
        "exit code 2 is retryable and the output matches `connection (reset|refused)`",
    )
    assert decide(PATTERNS, failed(2, stderr_tail="disk full")) == stop(
        "retryable_error_patterns", "no error pattern matches the output"
    )


@pytest.mark.parametrize(
    ("attempt", "seconds"),
    [(1, 10), (2, 20), (3, 40), (4, 80), (5, 160), (6, 300), (7, 300), (5000, 300)],
)
def test_the_delay_doubles_up_to_its_ceiling(attempt: int, seconds: int):
    assert POLICY.delay(attempt) == timedelta(seconds=seconds)


@given(
    initial=st.floats(0, 1e6),
    ceiling=st.floats(0, 1e6),
    multiplier=st.floats(1, 100),
    attempt=st.integers(1, 10_000),
)
def test_the_delay_never_shrinks_and_never_exceeds_its_ceiling(
    initial: float, ceiling: float, multiplier: float, attempt: int
):
    policy = RetryPolicy(
        initial_delay=timedelta(seconds=initial),
        max_delay=timedelta(seconds=ceiling),
        backoff_multiplier=multiplier,
    )
    assert policy.delay(attempt) <= policy.delay(attempt + 1) <= policy.max_delay
