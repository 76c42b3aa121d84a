"""An attempt and its retries in one process, for targets that have no retries of their own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from orchestration.domain.retry import decide
from orchestration.observability import job_finished, job_started, retry_attempt
from orchestration.runner.attempt import run_attempt

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.domain.events import ConnectorEvent
    from orchestration.domain.outcome import AttemptResult
    from orchestration.domain.retry import RetryPolicy
    from orchestration.observability import LogRecord
    from orchestration.runner.output import Stream
    from orchestration.runner.spec import ProcessSpec


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
    on_output: Callable[[Stream, str], None],
    on_event: Callable[[ConnectorEvent], None],
    on_log: Callable[[LogRecord], None],
    run: RunAttempt = run_attempt,
    sleep: Callable[[float], None] = time.sleep,
) -> AttemptResult:
    """The result of the last attempt that `policy` wants; with `NO_RETRIES` that is the first.

    `prepare_attempt` gets the number of the attempt, from 1, and is called for each one, so that
    secrets that changed meanwhile are in force. `on_log` gets `job_started`, a `retry_attempt`
    before each wait, and `job_finished`. Exceptions of a signal handler end a wait at once.
    """
    on_log(job_started(job_id))
    attempt = 0
    while True:
        attempt += 1
        spec = prepare_attempt(attempt)
        result = run(spec, attempt=attempt, on_output=on_output, on_event=on_event)
        decision = decide(policy, result)
        if not decision.retry:
            on_log(job_finished(job_id, result, decision))
            return result
        on_log(retry_attempt(job_id, result, decision))
        sleep(decision.delay.total_seconds())
