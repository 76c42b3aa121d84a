"""What happens inside a run: one attempt of the asset's job, and what follows from its outcome."""

import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, assert_never

import dagster as dg

from orchestration.defs import tags
from orchestration.defs.ledger import Ledger
from orchestration.defs.metadata import attempt_metadata, decision_metadata, record_counts
from orchestration.defs.schedules import read_claimant
from orchestration.defs.waiting import WaitingJob, announce, chain_id, first_attempt
from orchestration.domain.events import ConnectorEvent
from orchestration.domain.job import Job
from orchestration.domain.outcome import AttemptResult, Outcome
from orchestration.domain.retry import Disposition, RetryDecision, decide
from orchestration.domain.workspace import Workspace
from orchestration.errors import OrchestrationError
from orchestration.observability import LogRecord, job_finished, json_log_line, retry_attempt
from orchestration.runner import (
    Stream,
    consult,
    job_lock,
    limit_timeout,
    prepare,
    run_attempt,
)

COMPLETE_CHECK = "complete"


@dataclass(frozen=True, slots=True, eq=False)  # Dagster hashes it, by identity
class JobExecution:
    """The compute function of one asset: bound to its job when it is built, so that no asset can
    run another one's command.
    """

    job: Job
    workspace: Workspace

    def __call__(
        self, context: dg.OpExecutionContext, _inputs: Mapping[str, Any]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        """One attempt of the job, after the wait for it where it is a retry.

        Raises:
            RetryRequested: the policy of the job wants another attempt, in this run.
            Failure: the attempt failed, and another one follows in a new run or not at all; or it
                could not start, or shall not.
        """
        turn = _Turn.of(context)
        self._ask_breaker(context)
        self._wait(context, turn)
        try:
            # Dagster's own limits decide how many of its runs overlap: they share the lock.
            with job_lock(self.workspace.settings.state_directory, self.job.id, shared=True):
                result = self._attempt(context, turn)
        except OrchestrationError as error:
            raise _not_started(self.job, error) from error
        decision = self._decide(context, turn, result)
        due = self._retry(context, result, decision) if decision.retry else None
        _log(context, job_finished(self.job.id, result, decision))
        result = replace(result, outcome=decision.outcome)
        if not result.landed:
            raise _failure(self.job, result, decision, due)
        yield dg.MaterializeResult(
            asset_key=dg.AssetKey(self.job.asset_key),
            metadata=attempt_metadata(self.job, result) | decision_metadata(decision, due),
            check_results=[_complete_check(self.job, result, decision)],
        )

    def _ask_breaker(self, context: dg.OpExecutionContext) -> None:
        """A run that a schedule has queued, and whose breaker has opened since, ends as cancelled: it
        comes to as much as a tick that is skipped.
        """
        claimant = read_claimant(context.run) if context.retry_number == 0 else None
        if claimant is None:
            return
        admission = Ledger(lambda: context.instance).admit(self.job, claimant)
        if why := admission.refusal:
            context.instance.report_run_canceling(context.run, f"The run ends, since {why}.")
            text = f"job `{self.job.id}` is not run, since {why}"
            raise dg.Failure(description=text, allow_retries=False)

    def _wait(self, context: dg.OpExecutionContext, turn: "_Turn") -> None:
        """For a retry in the same run. In here an interrupt ends the wait at once; Dagster's own
        waits go on till they are over, and are left to runs that have other jobs to do meanwhile.
        """
        if context.retry_number > 0 and _is_alone(context):
            delay = self.job.retry.delay(turn.attempt - 1, seed=turn.seed)
            time.sleep(delay.total_seconds())

    def _attempt(self, context: dg.OpExecutionContext, turn: "_Turn") -> AttemptResult:
        spec = prepare(
            self.job,
            workspace=self.workspace,
            environ=os.environ,
            run_id=context.run_id,
            attempt=turn.attempt,
            traceparent=context.run.tags.get(tags.TRACEPARENT),
            full_refresh=context.run.tags.get(tags.FULL_REFRESH) == "true",
        )

        def show(event: ConnectorEvent) -> None:
            context.log.info(json.dumps({"event_type": event.event_type, **event.fields}))

        spec = limit_timeout(spec, turn.time_left(self._run_timeout))
        return run_attempt(spec, attempt=turn.attempt, on_output=_forward, on_event=show)

    def _decide(
        self, context: dg.OpExecutionContext, turn: "_Turn", result: AttemptResult
    ) -> RetryDecision:
        """What follows. A retry in a new run has all the time of that run."""
        delay = self.job.retry.delay(turn.attempt, seed=turn.seed)
        left = None if self._is_long(delay) else turn.time_left(self._run_timeout)
        decision = decide(self.job.retry, result, seed=turn.seed, time_left=left)
        ledger = Ledger(lambda: context.instance)
        return consult(ledger, self.job, decision, partial(_log, context))

    def _retry(
        self, context: dg.OpExecutionContext, result: AttemptResult, decision: RetryDecision
    ) -> datetime:
        """See to it that another attempt follows: in this run, or else in a new one, then."""
        _log(context, retry_attempt(self.job.id, result, decision))
        if not self._is_long(decision.delay):
            seconds = None if _is_alone(context) else decision.delay.total_seconds()
            raise dg.RetryRequested(
                max_retries=self.job.retry.max_retries, seconds_to_wait=seconds
            ) from _failure(self.job, result, decision)
        due = datetime.now(UTC) + decision.delay
        waiting = WaitingJob(
            job_id=self.job.id,
            asset_key=self.job.asset_key,
            attempt=result.attempt + 1,
            reason=decision.reason,
        )
        announce(context.instance, context.run_id, waiting, due)
        return due

    def _is_long(self, delay: timedelta) -> bool:
        """Whether a wait is too long to hold the slots of the run meanwhile."""
        return delay > self.workspace.settings.retry_in_run

    @property
    def _run_timeout(self) -> timedelta:
        return self.job.run_timeout or self.workspace.settings.run_timeout


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """Where a run has got to with a job: at attempt `attempt`, having begun at `started`, seconds
    since the epoch. `seed` is the id of the first of the runs that repeat each other.
    """

    attempt: int
    started: float
    seed: str

    @classmethod
    def of(cls, context: dg.OpExecutionContext) -> "_Turn":
        """As the attempt begins."""
        return cls(
            attempt=first_attempt(context.run) + context.retry_number,
            started=_first_start(context),
            seed=chain_id(context.run),
        )

    def time_left(self, run_timeout: timedelta) -> timedelta:
        """How much of the time of the run is left to the job."""
        return run_timeout - timedelta(seconds=time.time() - self.started)


def _first_start(context: dg.OpExecutionContext) -> float:
    """When the run began with its first attempt of the job."""
    if context.retry_number == 0:
        return time.time()
    step = context.get_step_execution_context().step.key
    [stats] = context.instance.get_run_step_stats(context.run_id, [step])
    return stats.start_time or time.time()


def _is_alone(context: dg.OpExecutionContext) -> bool:
    """Whether the run has no other job to do."""
    return len(context.run.asset_selection or ()) == 1


def _forward(stream: Stream, line: str) -> None:
    """Give a line of the child to Dagster's capture of this process's own output."""
    target = sys.stderr if stream is Stream.STDERR else sys.stdout
    target.write(f"{line}\n")
    target.flush()


def _log(context: dg.OpExecutionContext, record: LogRecord) -> None:
    text = json_log_line(record, datetime.now(UTC))
    context.log.log(logging.getLevelNamesMapping()[record.level], text)


def _failure(
    job: Job, result: AttemptResult, decision: RetryDecision, due: datetime | None = None
) -> dg.Failure:
    """`due` is when a retry in a new run is, if there is one."""
    sequel = _describe_sequel(job, result, decision, due)
    return dg.Failure(
        description=f"job `{job.id}` failed: {result.reason}{sequel}",
        metadata=attempt_metadata(job, result) | decision_metadata(decision, due),
        allow_retries=False,
    )


def _describe_sequel(
    job: Job, result: AttemptResult, decision: RetryDecision, due: datetime | None
) -> str:
    if due:
        return f"; attempt {result.attempt + 1} follows in a new run at {due:%F %T} UTC"
    is_given_up = job.retry.max_retries > 0 and not decision.retry
    return f"; not repeated, since {decision.reason}" if is_given_up else ""


def _not_started(job: Job, error: OrchestrationError) -> dg.Failure:
    return dg.Failure(
        description=f"job `{job.id}` could not start: {error.reason}",
        metadata={
            "status": "failure",
            "error": f"{error.code}: {error.reason}",
            "help": error.help,
        },
        allow_retries=False,
    )


def _complete_check(
    job: Job, result: AttemptResult, decision: RetryDecision
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey(job.asset_key),
        check_name=COMPLETE_CHECK,
        passed=result.outcome is Outcome.SUCCEEDED,
        severity=dg.AssetCheckSeverity.WARN,
        description=_describe_landed(job, result, decision),
        metadata=record_counts(result),
    )


def _describe_landed(job: Job, result: AttemptResult, decision: RetryDecision) -> str:
    match result.outcome:
        case Outcome.SUCCEEDED:
            return "every record was committed"
        case Outcome.PARTIAL if decision.disposition is Disposition.DISCARDABLE:
            return f"the attempt failed, which does not matter: {decision.reason}"
        case Outcome.PARTIAL if result.metrics:
            return "some records were rejected, the rest were committed"
        case Outcome.PARTIAL:
            return (
                "the program returned 1, which stands for partial success, but wrote no"
                " `metrics_complete` event: an uncaught exception of Python returns 1 as well"
            )
        case Outcome.FAILED | Outcome.TIMED_OUT | Outcome.CANCELLED:
            raise _failure(job, result, decision)
        case _:
            assert_never(result.outcome)
