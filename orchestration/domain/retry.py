"""Whether an attempt is followed by another one, and after which delay. Decides, never sleeps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from orchestration.domain.outcome import AttemptResult, Outcome


class Jitter(StrEnum):
    """How a delay is drawn by lot, so that what failed together does not come back together."""

    NONE = "none"
    FULL = "full"
    EQUAL = "equal"
    DECORRELATED = "decorrelated"


class Disposition(StrEnum):
    """What kind of failure it is (002-15): it may pass, it will not, or it may be left out."""

    TRANSIENT = "transient"
    PERMANENT = "permanent"
    DISCARDABLE = "discardable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorClass:
    """An entry of `error_classes`: failures with one of these codes and one of these patterns,
    whichever of the two is given, have that disposition.
    """

    name: str
    disposition: Disposition
    exit_codes: frozenset[int] = frozenset()
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudget:
    """At most `retries` retries within `per`, of all jobs of a tenant with the same connector."""

    retries: int
    per: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The `retry_config` of a job (requirements 004-02 to 004-04).

    `max_retries` 0 means one attempt and no more. A code is listed with the number that a shell
    would show, so 137 stands for a process that died of SIGKILL. Patterns are regular expressions,
    searched without regard to case in the tail of stderr and in the error that the connector named.
    """

    max_retries: int = 0
    initial_delay: timedelta = timedelta(seconds=5)
    max_delay: timedelta = timedelta(seconds=300)
    backoff_multiplier: float = 2.0
    retryable_exit_codes: frozenset[int] = frozenset({1, 2})
    retryable_error_patterns: tuple[str, ...] = ()
    non_retryable_error_patterns: tuple[str, ...] = ()
    retry_on_signal: frozenset[int] = frozenset()
    retry_on_timeout: bool = False
    jitter: Jitter = Jitter.NONE
    error_classes: tuple[ErrorClass, ...] = ()
    budget: RetryBudget | None = None

    def delay(self, attempt: int) -> timedelta:
        """The wait after attempt `attempt` (from 1): `initial * multiplier ** (attempt - 1)`, at
        most `max_delay`.

        >>> RetryPolicy(initial_delay=timedelta(seconds=10)).delay(3)
        datetime.timedelta(seconds=40)
        """
        ceiling = self.max_delay.total_seconds()
        try:
            wait = self.initial_delay.total_seconds() * self.backoff_multiplier ** (attempt - 1)
        except OverflowError:
            wait = ceiling
        return timedelta(seconds=min(wait, ceiling))


NO_RETRIES = RetryPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryDecision:
    """What follows an attempt. `delay` is zero unless `retry`. `rule` is the setting that decided
    (a key of `retry_config`, or `outcome`); `reason` says it for a person.
    """

    retry: bool
    rule: str
    reason: str
    delay: timedelta = timedelta(0)


def decide(policy: RetryPolicy, result: AttemptResult) -> RetryDecision:
    """Whether attempt `result.attempt` is followed by another one.

    The code must be listed and, if there are patterns, one must match (T13). A success, a
    cancelled and a timed-out attempt are never repeated. Partial success is repeated only if 1 is
    listed, and stays partial when the retries are used up (T9).
    """
    if result.outcome in (Outcome.SUCCEEDED, Outcome.CANCELLED, Outcome.TIMED_OUT):
        return _stop("outcome", f"an attempt that {_ENDED[result.outcome]} is not repeated")
    if policy.max_retries == 0:
        return _stop("max_retries", "the job has no retries")
    code = _listed_code(result)
    if code not in policy.retryable_exit_codes:
        return _stop("retryable_exit_codes", f"exit code {code} is not retryable")
    pattern = _matching_pattern(policy, result)
    if policy.retryable_error_patterns and pattern is None:
        return _stop("retryable_error_patterns", "no error pattern matches the output")
    if result.attempt > policy.max_retries:
        return _stop("max_retries", f"all {policy.max_retries} retries are used up")
    because = f"exit code {code} is retryable"
    if pattern is not None:
        because += f" and the output matches `{pattern}`"
    rule = "retryable_exit_codes" if pattern is None else "retryable_error_patterns"
    return RetryDecision(retry=True, rule=rule, reason=because, delay=policy.delay(result.attempt))


_ENDED = {
    Outcome.SUCCEEDED: "succeeded",
    Outcome.CANCELLED: "was cancelled",
    Outcome.TIMED_OUT: "timed out",
}


def _stop(rule: str, reason: str) -> RetryDecision:
    return RetryDecision(retry=False, rule=rule, reason=reason)


def _listed_code(result: AttemptResult) -> int | None:
    return 128 + result.signal if result.signal is not None else result.exit_code


def _matching_pattern(policy: RetryPolicy, result: AttemptResult) -> str | None:
    output = f"{result.error_text}\n{result.stderr_tail}"
    for pattern in policy.retryable_error_patterns:
        if re.search(pattern, output, re.IGNORECASE | re.MULTILINE):
            return pattern
    return None
