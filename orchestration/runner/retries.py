"""An attempt and its retries in one process, for targets that have no retries of their own."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol

from orchestration.domain.retry import Refusal
from orchestration.errors import LedgerUnavailableError
from orchestration.observability import (
    job_finished,
    job_started,
    ledger_unavailable,
    retry_attempt,
)
from orchestration.runner.attempt import run_attempt

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from orchestration.domain.chain import Chain
    from orchestration.domain.events import ConnectorEvent
    from orchestration.domain.job import Job
    from orchestration.domain.outcome import AttemptResult, Outcome
    from orchestration.domain.retry import Disposition, RetryDecision
    from orchestration.observability import LogRecord
    from orchestration.runner.output import Stream
    from orchestration.runner.spec import ProcessSpec

_SHORTEST = timedelta(milliseconds=1)
"""The least time that an attempt is given: a time-out of zero would be none."""


class RunAttempt(Protocol):
    """What `run_attempt` does; a test gives something that starts no process."""

    def __call__(
        self,
        spec: ProcessSpec,
        *,
        attempt: int,
        on_output: Callable[[Stream, str], None],
        on_event: Callable[[ConnectorEvent], None],
        is_repeated: Callable[[AttemptResult], bool],
    ) -> AttemptResult:
        """The result of attempt `attempt` of the process."""
        ...


class Ledger(Protocol):
    """What all jobs of a tenant with one connector share: retry budgets and breakers."""

    def record(
        self,
        job: Job,
        outcome: Outcome,
        disposition: Disposition | None = None,
        *,
        began: datetime | None = None,
    ) -> LogRecord | None:
        """Count an attempt that has ended; what to log where that changes something."""
        ...

    def claim_retry(self, job: Job) -> Refusal | None:
        """Count one more retry, unless it is refused."""
        ...


def run_with_retries(
    chain: Chain,
    prepare_attempt: Callable[[int], ProcessSpec],
    *,
    on_output: Callable[[Stream, str], None],
    on_event: Callable[[ConnectorEvent], None],
    on_log: Callable[[LogRecord], None],
    ledger: Ledger | None = None,
    run: RunAttempt = run_attempt,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> AttemptResult:
    """The result of the last attempt that the policy of the job wants, with the outcome that it
    makes of it; with `NO_RETRIES` that is the first attempt.

    `prepare_attempt` gets the number of the attempt, from 1, and is called for each one, so that
    secrets that changed meanwhile are in force. When the time of the run is over, the attempt under
    way is stopped as timed out, and no other begins; it counts anew after a wait for which Dagster
    would begin another run. `on_log` gets `job_started`, a `retry_attempt` before each wait, and
    `job_finished`. Exceptions of a signal handler end a wait at once.
    """
    job = chain.job
    on_log(job_started(job.id))
    started, attempt = clock(), 0

    def judge(result: AttemptResult) -> RetryDecision:
        elapsed = timedelta(seconds=clock() - started)
        decision = chain.decide(result, elapsed=elapsed)
        return consult(ledger, job, result.started_at, decision, on_log)

    while True:
        attempt += 1
        time_left = chain.time_left(timedelta(seconds=clock() - started))
        spec = limit_timeout(prepare_attempt(attempt), time_left)
        begin = partial(run, spec, attempt=attempt, on_output=on_output, on_event=on_event)
        result, decision = run_judged(lambda ask, begin=begin: begin(is_repeated=ask), judge)
        if not decision.retry:
            on_log(job_finished(job.id, result, decision))
            return replace(result, outcome=decision.outcome)
        on_log(retry_attempt(job.id, result, decision))
        sleep(decision.delay.total_seconds())
        if chain.leaves_run(decision.delay):
            started = clock()


def run_judged(
    run: Callable[[Callable[[AttemptResult], bool]], AttemptResult],
    judge: Callable[[AttemptResult], RetryDecision],
) -> tuple[AttemptResult, RetryDecision]:
    """An attempt, and what follows it. `run` gets what it may ask for `is_repeated`. `judge`, which
    counts, is called once for a result: before its checkpoint is kept where that depends on it. If
    that cannot be stored then, it is called again, for the failure that the attempt has become.
    """
    judged: list[tuple[AttemptResult, RetryDecision]] = []

    def is_repeated(result: AttemptResult) -> bool:
        judged.append((result, judge(result)))
        return judged[-1][1].retry

    result = run(is_repeated)
    if judged and judged[-1][0] is result:
        return judged[-1]
    return result, judge(result)


def consult(
    ledger: Ledger | None,
    job: Job,
    began: datetime,
    decision: RetryDecision,
    on_log: Callable[[LogRecord], None],
) -> RetryDecision:
    """What becomes of the decision about an attempt that `began` then, when the ledger has been told
    how it ended, and been asked for the retry, if one is wanted. Call it once for each attempt.

    One that is not within reach changes nothing about how the attempt ended, and grants no retry.
    """
    if ledger is None:
        return decision
    try:
        record = ledger.record(job, decision.outcome, decision.disposition, began=began)
        if record:
            on_log(record)
        refusal = ledger.claim_retry(job) if decision.retry else None
    except LedgerUnavailableError as error:
        on_log(ledger_unavailable(job.id, error.reason))
        refusal = Refusal(rule="budget" if job.retry.budget else "breaker", reason=error.reason)
        return decision.refused(refusal) if decision.retry else decision
    return decision.refused(refusal) if refusal else decision


def limit_timeout(spec: ProcessSpec, time_left: timedelta) -> ProcessSpec:
    """The process, with no more time than its run has left."""
    if spec.timeout and spec.timeout <= time_left:
        return spec
    return replace(spec, timeout=max(time_left, _SHORTEST))
