"""What holds for every retry policy: of its delays, of chance, and of budgets."""

import math
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.domain.backoff import Jitter
from orchestration.domain.budget import KEPT_AT_LEAST, SpentRetries
from orchestration.domain.outcome import AttemptResult, Outcome
from orchestration.domain.retry import (
    Disposition,
    ErrorClass,
    RetryBudget,
    RetryPolicy,
    decide,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
JITTERS = st.sampled_from(Jitter)
SECONDS = st.floats(0, 1e6).map(lambda number: timedelta(seconds=number))
ATTEMPTS = st.integers(1, 1001)
SEEDS = st.uuids().map(str)
CODES = st.frozensets(st.integers(1, 255), max_size=4)
PATTERNS = st.lists(st.sampled_from(["reset", "denied", "^late", "(un)?known"]), max_size=3).map(
    tuple
)


def policies(**fixed):
    return st.builds(
        RetryPolicy,
        **{
            "max_retries": st.integers(0, 20),
            "initial_delay": SECONDS,
            "max_delay": SECONDS,
            "backoff_multiplier": st.floats(1, 1000),
            "jitter": JITTERS,
            "retryable_exit_codes": CODES,
            "retryable_error_patterns": PATTERNS,
            "non_retryable_error_patterns": PATTERNS,
            "retry_on_signal": st.frozensets(st.integers(1, 31)),
            "retry_on_timeout": st.booleans(),
            "error_classes": st.lists(
                st.builds(
                    ErrorClass,
                    name=st.just("class"),
                    disposition=st.sampled_from(Disposition),
                    exit_codes=CODES,
                    patterns=PATTERNS,
                ),
                max_size=2,
            ).map(tuple),
            **fixed,
        },
    )


RESULTS = st.builds(
    AttemptResult,
    outcome=st.sampled_from(Outcome),
    attempt=ATTEMPTS,
    started_at=st.just(NOON),
    duration=st.just(timedelta(seconds=1)),
    exit_code=st.integers(0, 255),
    signal=st.none() | st.integers(1, 31),
    stderr_tail=st.sampled_from(["", "connection reset", "access denied", "late\nunknown"]),
    error_text=st.sampled_from(["", "known", "denied"]),
)


@given(policy=policies(), attempt=ATTEMPTS, seed=SEEDS)
def test_a_delay_lies_within_its_bounds_and_these_below_the_ceiling(policy, attempt, seed):
    shortest, longest = policy.delay_bounds(attempt)

    assert timedelta(0) <= shortest <= policy.delay(attempt, seed=seed) <= longest
    assert longest <= policy.max_delay


@given(policy=policies(jitter=st.just(Jitter.NONE)), attempt=ATTEMPTS, seed=SEEDS)
def test_without_jitter_no_delay_is_shorter_than_the_one_before(policy, attempt, seed):
    delay = policy.delay(attempt, seed=seed)

    assert delay <= policy.delay(attempt + 1, seed=seed)
    assert policy.delay_bounds(attempt) == (delay, delay)


@given(policy=policies(), attempt=ATTEMPTS)
def test_the_longest_delay_never_shrinks(policy, attempt):
    assert policy.delay_bounds(attempt)[1] <= policy.delay_bounds(attempt + 1)[1]


@given(policy=policies(), attempt=ATTEMPTS, seed=SEEDS)
def test_a_seed_gives_one_delay_for_an_attempt(policy, attempt, seed):
    assert policy.delay(attempt, seed=seed) == policy.delay(attempt, seed=seed)


def busiest_second(policy: RetryPolicy, attempt: int, seeds) -> int:
    """How many of those that failed at once come back within the same second."""
    seconds = (math.floor(policy.delay(attempt, seed=seed).total_seconds()) for seed in seeds)
    return max(Counter(seconds).values())


@given(
    jitter=st.sampled_from([Jitter.FULL, Jitter.EQUAL, Jitter.DECORRELATED]),
    initial=st.integers(1000, 100_000),
    fleet=st.uuids(),
)
def test_no_second_gets_more_than_a_twentieth_of_what_failed_at_once(jitter, initial, fleet):
    policy = RetryPolicy(
        initial_delay=timedelta(seconds=initial), max_delay=timedelta(days=30), jitter=jitter
    )
    # Equal jitter leaves the second half of the delay to chance: at least 500 s here.
    assert busiest_second(policy, 1, [f"{fleet}-{number}" for number in range(100)]) <= 5


@pytest.mark.parametrize("attempt", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("fleet", ["monday", "tuesday", "wednesday"])
def test_decorrelated_retries_do_not_gather_at_the_ceiling(fleet: str, attempt: int):
    policy = RetryPolicy(
        initial_delay=timedelta(seconds=60),
        max_delay=timedelta(seconds=300),
        jitter=Jitter.DECORRELATED,
    )
    assert busiest_second(policy, attempt, [f"{fleet}-{n}" for n in range(100)]) <= 5


@given(policy=policies(), result=RESULTS, seed=SEEDS, left=st.none() | SECONDS)
def test_a_decision_is_one_that_can_be_told(policy, result, seed, left):
    decision = decide(policy, result, delay=policy.delay(result.attempt, seed=seed), time_left=left)

    assert decision.rule
    assert decision.reason
    assert decision.delay <= policy.max_delay
    assert (decision.disposition is None) is (
        result.outcome in (Outcome.SUCCEEDED, Outcome.CANCELLED)
    )
    if decision.retry:
        assert decision.disposition is Disposition.TRANSIENT
        assert result.attempt <= policy.max_retries
        assert left is None or decision.delay < left
    else:
        assert decision.delay == timedelta(0)
    discarded = decision.disposition is Disposition.DISCARDABLE
    assert decision.outcome is (Outcome.PARTIAL if discarded else result.outcome)


@given(policy=policies(), result=RESULTS, seed=SEEDS)
def test_more_retries_never_take_one_away(policy, result, seed):
    delay = policy.delay(result.attempt, seed=seed)
    decision = decide(policy, result, delay=delay)
    more = RetryPolicy(
        **{
            **{name: getattr(policy, name) for name in policy.__slots__},
            "max_retries": policy.max_retries + 1,
        }
    )

    assert decide(more, result, delay=delay).retry >= decision.retry


@given(
    retries=st.integers(1, 6),
    per=st.integers(1, 100),
    steps=st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from(["acme", "globex", "initech"])), max_size=60
    ),
)
def test_no_budget_is_exceeded_in_whatever_order_processes_ask(retries, per, steps):
    """Each process reads, spends and writes under one lock, so their steps come in some order."""
    budget = RetryBudget(retries=retries, per=timedelta(seconds=per))
    ledger: dict[str, SpentRetries] = {}
    granted: dict[str, list[datetime]] = {}
    refused = 0
    now = NOON
    for pause, tenant in steps:
        now += timedelta(seconds=pause)
        after = ledger.get(tenant, SpentRetries()).spend(budget, now)
        if after is None:
            refused += 1
            inside = [at for at in granted[tenant] if now - at < budget.per]
            assert len(inside) == retries
        else:
            ledger[tenant] = after
            granted.setdefault(tenant, []).append(now)
    for instants in granted.values():
        for first in instants:
            assert sum(first <= at < first + budget.per for at in instants) <= retries
    assert all(len(spent.at) <= KEPT_AT_LEAST for spent in ledger.values())
    assert refused + sum(map(len, granted.values())) == len(steps)
