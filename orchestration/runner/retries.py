"""An attempt and its retries in one process, for targets that have no retries of their own."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from orchestration.domain.retry import decide
from orchestration.observability import job_finished, job_started, retry_attempt
from orchestration.runner.attempt import run_attempt

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.domain.events import ConnectorEvent
    from orchestration.domain.outcome import AttemptResult
    from orchestration.domain.retry import Refusal, RetryDecision, RetryPolicy
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
    ) -> AttemptResult:
        """The result of attempt `attempt` of the process."""
        ...


def run_with_retries(
    job_id: str,
    policy: RetryPolicy,
    prepare_attempt: Callable[[int], ProcessSpec],
    *,
    seed: str,
    on_output: Callable[[Stream, str], None],
    on_event: Callable[[ConnectorEvent], None],
    on_log: Callable[[LogRecord], None],
    run_timeout: timedelta | None = None,
    may_retry: Callable[[], Refusal | None] = lambda: None,
    on_decision: Callable[[RetryDecision], None] = lambda _: None,
    run: RunAttempt = run_attempt,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> AttemptResult:
    """The result of the last attempt that `policy` wants, with the outcome that it makes of it;
    with `NO_RETRIES` that is the first attempt.

    `prepare_attempt` gets the number of the attempt, from 1, and is called for each one, so that
    secrets that changed meanwhile are in force. `seed`, the id of the run, settles the delays.
    After `run_timeout` the attempt under way is stopped as timed out, and no other begins.
    `on_log` gets `job_started`, a `retry_attempt` before each wait, and `job_finished`;
    `on_decision` what follows each attempt. Exceptions of a signal handler end a wait at once.
    """
    on_log(job_started(job_id))
    started, attempt = clock(), 0

    def time_left() -> timedelta | None:
        return None if run_timeout is None else run_timeout - timedelta(seconds=clock() - started)

    while True:
        attempt += 1
        spec = limit_timeout(prepare_attempt(attempt), time_left())
        result = run(spec, attempt=attempt, on_output=on_output, on_event=on_event)
        decision = decide(policy, result, seed=seed, time_left=time_left(), may_retry=may_retry)
        on_decision(decision)
        if not decision.retry:
            on_log(job_finished(job_id, result, decision))
            return replace(result, outcome=decision.outcome)
        on_log(retry_attempt(job_id, result, decision))
        sleep(decision.delay.total_seconds())


def limit_timeout(spec: ProcessSpec, time_left: timedelta | None) -> ProcessSpec:
    """The process, with no more time than its run has left; None is without limit."""
    if time_left is None or (spec.timeout and spec.timeout <= time_left):
        return spec
    return replace(spec, timeout=max(time_left, _SHORTEST))
