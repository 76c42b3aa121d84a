from datetime import UTC, datetime, timedelta

import pytest
from retry_table import CASES, Case

from orchestration.domain.backoff import Jitter
from orchestration.domain.outcome import AttemptResult, Outcome
from orchestration.domain.retry import (
    NO_RETRIES,
    Disposition,
    ErrorClass,
    Refusal,
    RetryBudget,
    RetryDecision,
    RetryPolicy,
    decide,
)

POLICY = RetryPolicy(max_retries=3, initial_delay=timedelta(seconds=10))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TEN = timedelta(seconds=10)


def failed(exit_code: int | None = 2, attempt: int = 1, **facts) -> AttemptResult:
    return AttemptResult(
        **{
            "outcome": Outcome.FAILED,
            "attempt": attempt,
            "started_at": NOON,
            "duration": timedelta(seconds=3),
            "exit_code": exit_code,
            **facts,
        }
    )


def seconds(*numbers: float) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=number) for number in numbers)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.group}-{case.number}")
def test_what_follows_an_attempt_is_what_the_table_says(case: Case):
    policy = case.policy()

    delay = policy.delay(case.attempt, seed="run")

    decision = decide(policy, case.result, delay=delay)

    assert decision == RetryDecision(
        retry=case.delay is not None,
        rule=case.rule,
        reason=decision.reason,
        disposition=case.disposition,
        outcome=case.outcome,
        delay=delay if case.delay else timedelta(0),
    )
    assert decision.reason
    if case.delay:
        assert policy.delay_bounds(case.attempt) == seconds(*case.delay)
        assert case.delay[0] <= decision.delay.total_seconds() <= case.delay[1]


def test_the_table_has_150_cases_and_all_ways_to_decide():
    assert len(CASES) >= 150
    assert {case.rule for case in CASES} == {
        "outcome",
        "max_retries",
        "retryable_exit_codes",
        "retryable_error_patterns",
        "non_retryable_error_patterns",
        "retry_on_signal",
        "retry_on_timeout",
        "error_classes",
    }
    assert {(case.disposition, case.outcome) for case in CASES} == {
        (None, Outcome.SUCCEEDED),
        (None, Outcome.CANCELLED),
        (Disposition.TRANSIENT, Outcome.FAILED),
        (Disposition.TRANSIENT, Outcome.PARTIAL),
        (Disposition.TRANSIENT, Outcome.TIMED_OUT),
        (Disposition.PERMANENT, Outcome.FAILED),
        (Disposition.PERMANENT, Outcome.PARTIAL),
        (Disposition.PERMANENT, Outcome.TIMED_OUT),
        (Disposition.DISCARDABLE, Outcome.PARTIAL),
    }


@pytest.mark.parametrize(
    ("policy", "result", "reason"),
    [
        (POLICY, failed(), "exit code 2 is retryable"),
        (POLICY, failed(3), "exit code 3 is not retryable"),
        (POLICY, failed(attempt=4), "all 3 retries are used up"),
        (POLICY, failed(0, outcome=Outcome.SUCCEEDED), "an attempt that succeeded is not repeated"),
        (
            POLICY,
            failed(130, outcome=Outcome.CANCELLED),
            "an attempt that was cancelled is not repeated",
        ),
        (POLICY, failed(outcome=Outcome.TIMED_OUT), "time-outs are not retryable"),
        (POLICY, failed(None, signal=9), "neither SIGKILL nor exit code 137 is retryable"),
        (NO_RETRIES, failed(), "no retries are asked for"),
        (
            RetryPolicy(max_retries=1, retry_on_signal=frozenset({9})),
            failed(None, signal=9),
            "SIGKILL is retryable",
        ),
        (
            RetryPolicy(max_retries=1, retry_on_timeout=True),
            failed(None, outcome=Outcome.TIMED_OUT),
            "time-outs are retryable",
        ),
        (
            RetryPolicy(max_retries=1, retryable_error_patterns=("x", "re?set")),
            failed(stderr_tail="Connection RESET"),
            "exit code 2 is retryable and the output matches `re?set`",
        ),
        (
            RetryPolicy(max_retries=1, retryable_error_patterns=("reset",)),
            failed(stderr_tail="disk full"),
            "no error pattern matches the output",
        ),
        (
            RetryPolicy(max_retries=1, non_retryable_error_patterns=("full",)),
            failed(stderr_tail="disk full"),
            "the output matches `full`, which is not retryable",
        ),
        (
            RetryPolicy(
                error_classes=(
                    ErrorClass(
                        name="late",
                        disposition=Disposition.DISCARDABLE,
                        exit_codes=frozenset({2}),
                    ),
                )
            ),
            failed(),
            "it is of the class `late`, which is discardable",
        ),
        (
            RetryPolicy(
                error_classes=(
                    ErrorClass(
                        name="busy", disposition=Disposition.TRANSIENT, exit_codes=frozenset({2})
                    ),
                )
            ),
            failed(),
            "no retries are asked for",
        ),
        (RetryPolicy(max_retries=1), failed(attempt=2), "the only retry is used up"),
    ],
)
def test_the_reason_is_for_people(policy: RetryPolicy, result: AttemptResult, reason: str):
    assert decide(policy, result, delay=TEN).reason == reason


@pytest.mark.parametrize(
    ("left", "retried"), [(None, True), (10.1, True), (10, False), (0.5, False), (-3, False)]
)
def test_a_run_that_is_over_before_the_next_attempt_begins_makes_none(left, retried):
    time_left = None if left is None else timedelta(seconds=left)

    assert decide(POLICY, failed(), delay=TEN, time_left=time_left).retry is retried


def test_the_time_of_the_run_is_the_reason_then():
    assert decide(POLICY, failed(), delay=TEN, time_left=timedelta(seconds=4)) == RetryDecision(
        retry=False,
        rule="run_timeout",
        reason="a wait of 10s does not fit into the 4s that the run has left",
        disposition=Disposition.TRANSIENT,
        outcome=Outcome.FAILED,
    )


def test_a_refusal_takes_the_retry_back_and_leaves_what_the_failure_is():
    decision = decide(POLICY, failed(), delay=TEN)
    assert decision.delay == timedelta(seconds=10)

    assert decision.refused(Refusal(rule="breaker", reason="it is open")) == RetryDecision(
        retry=False,
        rule="breaker",
        reason="it is open",
        disposition=Disposition.TRANSIENT,
        outcome=Outcome.FAILED,
    )


@pytest.mark.parametrize(
    ("attempt", "wait"),
    [(1, 10), (2, 20), (3, 40), (4, 80), (5, 160), (6, 300), (7, 300), (5000, 300)],
)
def test_the_delay_doubles_up_to_its_ceiling(attempt: int, wait: int):
    assert POLICY.delay(attempt, seed="run") == timedelta(seconds=wait)
    assert POLICY.delay_bounds(attempt) == seconds(wait, wait)


@pytest.mark.parametrize("jitter", list(Jitter))
def test_no_delay_stays_none_however_often_it_grows(jitter: Jitter):
    policy = RetryPolicy(initial_delay=timedelta(0), jitter=jitter)

    assert policy.delay_bounds(5000) == seconds(0, 0)
    assert policy.delay(5000, seed="run") == timedelta(0)


@pytest.mark.parametrize(
    ("jitter", "bounds"),
    [
        (Jitter.NONE, (300, 300)),
        (Jitter.FULL, (0, 300)),
        (Jitter.EQUAL, (150, 300)),
        (Jitter.DECORRELATED, (5, 300)),
    ],
)
def test_jitter_leaves_a_part_of_the_delay_to_chance(jitter: Jitter, bounds: tuple[int, int]):
    assert RetryPolicy(jitter=jitter).delay_bounds(1000) == seconds(*bounds)


def test_the_chain_of_delays_is_known_to_who_knows_the_first_run():
    policy = RetryPolicy(max_retries=9, jitter=Jitter.DECORRELATED)

    def chain(seed: str) -> list[timedelta]:
        return [policy.delay(attempt, seed=seed) for attempt in range(1, 10)]

    assert chain("run-1") == chain("run-1")
    assert chain("run-1") != chain("run-2")
    # They are an interface: runs that wait while the software is updated go on as they began.
    assert chain("b7b6a5c8-0000-4000-8000-000000000001")[:3] == [
        timedelta(seconds=12.470216),
        timedelta(seconds=29.296661),
        timedelta(seconds=53.410858),
    ]


@pytest.mark.parametrize(
    ("ages", "is_allowed"),
    [
        ([], True),
        ([10, 20], True),
        ([10, 20, 3599], False),
        ([10, 20, 3600], True),
        ([10, 20, 5000, 9000], True),
        ([-30, 10, 20], False),
    ],
)
def test_a_budget_counts_the_retries_of_the_time_before(ages, is_allowed):
    budget = RetryBudget(retries=3, per=timedelta(hours=1))

    assert budget.allows([NOON - timedelta(seconds=age) for age in ages], NOON) is is_allowed


def test_a_budget_that_is_used_up_says_so():
    assert RetryBudget(retries=3, per=timedelta(hours=1)).refusal == Refusal(
        rule="budget",
        reason="the budget of 3 retries in 1h, shared by the jobs of the tenant with this "
        "connector, is used up",
    )
