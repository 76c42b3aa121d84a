"""Whether an attempt is followed by another one, and after which delay. Decides, never sleeps."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from orchestration.domain.backoff import Backoff, Jitter
from orchestration.domain.durations import format_duration
from orchestration.domain.outcome import AttemptResult, Outcome, signal_name

if TYPE_CHECKING:
    from collections.abc import Iterable


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

    def matches(self, code: int | None, output: str) -> bool:
        """Whether a failure with that code and output is of this class. None is no code."""
        if self.exit_codes and code not in self.exit_codes:
            return False
        return not self.patterns or _find(self.patterns, output) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a retry that the policy of the job wants does not take place all the same."""

    rule: Literal["budget", "breaker", "outcome"]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudget:
    """At most `retries` retries within `per`, of all jobs of a tenant with the same connector."""

    retries: int
    per: timedelta

    def allows(self, spent: Iterable[datetime], now: datetime) -> bool:
        """Whether there may be one more at `now`.

        `spent` are the instants of earlier retries, in any order. Those of a clock that is ahead
        count too.
        """
        return sum(now - at < self.per for at in spent) < self.retries

    def describe(self) -> str:
        """`20 retries in 1h`."""
        retries = "1 retry" if self.retries == 1 else f"{self.retries} retries"
        return f"{retries} in {format_duration(self.per)}"

    @property
    def refusal(self) -> Refusal:
        """That it is used up."""
        return Refusal(
            rule="budget",
            reason=f"the budget of {self.describe()}, shared by the jobs of the tenant with this "
            "connector, is used up",
        )


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

    def delay(self, attempt: int, *, seed: str) -> timedelta:
        """The wait after attempt `attempt` (from 1), at most `max_delay`. Who knows `seed`
        knows all delays.

        >>> RetryPolicy(initial_delay=timedelta(seconds=10)).delay(3, seed="")
        datetime.timedelta(seconds=40)
        """
        return timedelta(seconds=self._backoff.delay(attempt, seed))

    def delay_bounds(self, attempt: int) -> tuple[timedelta, timedelta]:
        """The shortest and the longest wait after attempt `attempt`, whatever the seed.

        >>> RetryPolicy(jitter=Jitter.EQUAL).delay_bounds(2)
        (datetime.timedelta(seconds=5), datetime.timedelta(seconds=10))
        """
        shortest, longest = self._backoff.bounds(attempt)
        return timedelta(seconds=shortest), timedelta(seconds=longest)

    @property
    def _backoff(self) -> Backoff:
        return Backoff(
            initial=self.initial_delay.total_seconds(),
            ceiling=self.max_delay.total_seconds(),
            multiplier=self.backoff_multiplier,
            jitter=self.jitter,
        )


NO_RETRIES = RetryPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryDecision:
    """What follows an attempt. `delay` is zero unless `retry`. `rule` is the setting that decided
    (a key of `retry_config`, `run_timeout`, `breaker`, or `outcome`); `reason` says it for a person.
    `disposition` is None where nothing failed. `outcome` is what the run becomes if it ends here.
    """

    retry: bool
    rule: str
    reason: str
    outcome: Outcome
    disposition: Disposition | None = None
    delay: timedelta = timedelta(0)

    def refused(self, refusal: Refusal) -> RetryDecision:
        """No retry, since something beside the policy is against it."""
        return replace(
            self, retry=False, rule=refusal.rule, reason=refusal.reason, delay=timedelta(0)
        )


def decide(
    policy: RetryPolicy,
    result: AttemptResult,
    *,
    delay: timedelta,
    time_left: timedelta | None = None,
) -> RetryDecision:
    """Whether attempt `result.attempt` is followed by another one, `delay` after it.

    A success and a cancelled attempt never are. Then `error_classes` judge, then the patterns that
    are not retryable, then the code, signal or time-out, then the patterns that are (T13: the code
    must be listed and one must match), then `max_retries`, and last the `time_left` of the run,
    which has to outlast the delay. Partial success is repeated only if 1 is listed, and stays
    partial when the retries are used up (T9). What is beyond the attempt itself, budgets and
    breakers, may still refuse the retry.
    """
    if result.outcome in _NEVER_REPEATED:
        reason = f"an attempt that {_NEVER_REPEATED[result.outcome]} is not repeated"
        return RetryDecision(retry=False, rule="outcome", reason=reason, outcome=result.outcome)
    verdict = _limit(_judge(policy, result), policy, result.attempt, delay, time_left)
    discarded = verdict.disposition is Disposition.DISCARDABLE
    return RetryDecision(
        retry=verdict.retryable,
        rule=verdict.rule,
        reason=verdict.reason,
        disposition=verdict.disposition,
        outcome=Outcome.PARTIAL if discarded else result.outcome,
        delay=delay if verdict.retryable else timedelta(0),
    )


_CODES = "retryable_exit_codes"
_NEVER_REPEATED = {Outcome.SUCCEEDED: "succeeded", Outcome.CANCELLED: "was cancelled"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """What the rules say of a failure. One that is not retryable is permanent, unless they know
    better.
    """

    retryable: bool
    rule: str
    reason: str
    disposition: Disposition

    def overruled(self, rule: str, reason: str) -> _Verdict:
        """Another retry is refused, which does not change what kind of failure it is."""
        return replace(self, retryable=False, rule=rule, reason=reason)


def _stop(rule: str, reason: str) -> _Verdict:
    disposition = Disposition.PERMANENT
    return _Verdict(retryable=False, rule=rule, reason=reason, disposition=disposition)


def _go_on(rule: str, reason: str) -> _Verdict:
    disposition = Disposition.TRANSIENT
    return _Verdict(retryable=True, rule=rule, reason=reason, disposition=disposition)


def _judge(policy: RetryPolicy, result: AttemptResult) -> _Verdict:
    """By what the attempt failed of, without regard to how many there were."""
    code, output = _code(result), f"{result.error_text}\n{result.stderr_tail}"
    for error_class in policy.error_classes:
        if error_class.matches(code, output):
            return _judge_class(error_class)
    if pattern := _find(policy.non_retryable_error_patterns, output):
        reason = f"the output matches `{pattern}`, which is not retryable"
        return _stop("non_retryable_error_patterns", reason)
    verdict = _judge_ending(policy, result, code)
    if policy.retryable_error_patterns and verdict.retryable and verdict.rule == _CODES:
        return _judge_output(policy, verdict, output)
    return verdict


def _judge_class(error_class: ErrorClass) -> _Verdict:
    disposition = error_class.disposition
    reason = f"it is of the class `{error_class.name}`, which is {disposition}"
    return _Verdict(
        retryable=disposition is Disposition.TRANSIENT,
        rule="error_classes",
        reason=reason,
        disposition=disposition,
    )


def _judge_ending(policy: RetryPolicy, result: AttemptResult, code: int | None) -> _Verdict:
    if result.outcome is Outcome.TIMED_OUT:
        if policy.retry_on_timeout:
            return _go_on("retry_on_timeout", "time-outs are retryable")
        return _stop("retry_on_timeout", "time-outs are not retryable")
    if result.signal is not None and result.signal in policy.retry_on_signal:
        return _go_on("retry_on_signal", f"{signal_name(result.signal)} is retryable")
    if code in policy.retryable_exit_codes:
        return _go_on(_CODES, f"exit code {code} is retryable")
    if result.signal is not None:
        reason = f"neither {signal_name(result.signal)} nor exit code {code} is retryable"
        return _stop("retry_on_signal", reason)
    return _stop(_CODES, f"exit code {code} is not retryable")


def _judge_output(policy: RetryPolicy, verdict: _Verdict, output: str) -> _Verdict:
    """Of an attempt whose code is listed: a pattern has to match as well."""
    pattern = _find(policy.retryable_error_patterns, output)
    if pattern is None:
        return _stop("retryable_error_patterns", "no error pattern matches the output")
    reason = f"{verdict.reason} and the output matches `{pattern}`"
    return _go_on("retryable_error_patterns", reason)


def _limit(
    verdict: _Verdict,
    policy: RetryPolicy,
    attempt: int,
    delay: timedelta,
    time_left: timedelta | None,
) -> _Verdict:
    """Of a failure that may pass: whether there is a retry left, and time for it.

    Without retries that is all there is to say, unless a class has more to say.
    """
    most = policy.max_retries
    if most == 0 and (verdict.retryable or verdict.rule != "error_classes"):
        return verdict.overruled("max_retries", "no retries are asked for")
    if not verdict.retryable:
        return verdict
    if attempt > most:
        some = "the only retry is" if most == 1 else f"all {most} retries are"
        return verdict.overruled("max_retries", f"{some} used up")
    if time_left is not None and delay >= time_left:
        wait, left = format_duration(delay), format_duration(max(time_left, timedelta(0)))
        reason = f"a wait of {wait} does not fit into the {left} that the run has left"
        return verdict.overruled("run_timeout", reason)
    return verdict


def _code(result: AttemptResult) -> int | None:
    """The number that a shell would show. That of a process that we stopped says nothing."""
    if result.outcome is Outcome.TIMED_OUT:
        return None
    return 128 + result.signal if result.signal is not None else result.exit_code


def _find(patterns: tuple[str, ...], output: str) -> str | None:
    """The first of the patterns that matches."""
    for pattern in patterns:
        if re.search(pattern, output, re.IGNORECASE | re.MULTILINE):
            return pattern
    return None
