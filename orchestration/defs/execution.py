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
from dagster._core.errors import DagsterExecutionInterruptedError

from orchestration.defs import tags
from orchestration.defs.ledger import Ledger
from orchestration.defs.metadata import attempt_metadata, decision_metadata, record_counts
from orchestration.defs.schedules import read_claimant
from orchestration.defs.waiting import WaitingJob, announce, chain_id, first_attempt
from orchestration.domain.chain import Chain
from orchestration.domain.events import ConnectorEvent
from orchestration.domain.job import Job
from orchestration.domain.outcome import AttemptResult, Outcome
from orchestration.domain.retry import RetryDecision
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
    run_judged,
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
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        """One attempt of the job, after the wait for it where it is a retry.

        Raises:
            RetryRequested: the policy of the job wants another attempt, in this run.
            Failure: the attempt failed, and another one follows in a new run or not at all; or it
                could not start, or shall not.
        """
        settings = self.workspace.settings
        turn = _Turn.of(context, Chain.of(self.job, settings, chain_id(context.run)))
        try:
            self._ask_breaker(context)
            turn.wait(context)
            # Dagster's own limits decide how many of its runs overlap: they share the lock.
            with job_lock(settings.state_directory, self.job.id, shared=True):
                result, decision = self._attempt(context, turn)
        except OrchestrationError as error:
            raise _not_started(self.job, error) from error
        due = self._retry(context, turn, result, decision) if decision.retry else None
        _log(context, job_finished(self.job.id, result, decision))
        ended = replace(result, outcome=decision.outcome)
        if not ended.landed:
            raise _failure(self.job, ended, decision, due)
        key, check = dg.AssetKey(self.job.asset_key), _complete_check(self.job, result, decision)
        metadata = attempt_metadata(self.job, ended) | decision_metadata(decision, due)
        if result.landed:
            yield dg.MaterializeResult(asset_key=key, metadata=metadata, check_results=[check])
        else:  # a failure that does not matter: no data was committed, and none is announced
            context.log_event(dg.AssetObservation(asset_key=key, metadata=metadata))
            yield check

    def _ask_breaker(self, context: dg.OpExecutionContext) -> None:
        """A run that a schedule has queued, and whose breaker has opened since, ends as cancelled: it
        comes to as much as a tick that is skipped. One whose occasion does not come back starts.
        """
        claimant = read_claimant(context.run) if context.retry_number == 0 else None
        if claimant is None:
            return
        admission = Ledger(lambda: context.instance).admit(self.job, claimant)
        if why := admission.refusal:
            context.instance.report_run_canceling(context.run, f"The run ends, since {why}.")
            text = f"job `{self.job.id}` is not run, since {why}"
            raise dg.Failure(description=text, allow_retries=False)

    def _attempt(
        self, context: dg.OpExecutionContext, turn: "_Turn"
    ) -> tuple[AttemptResult, RetryDecision]:
        """The attempt, and what follows it."""
        spec = prepare(
            self.job,
            workspace=self.workspace,
            environ=os.environ,
            run_id=context.run_id,
            attempt=turn.attempt,
            traceparent=context.run.tags.get(tags.TRACEPARENT),
            full_refresh=context.run.tags.get(tags.FULL_REFRESH) == "true",
        )
        ledger = Ledger(lambda: context.instance)

        def show(event: ConnectorEvent) -> None:
            context.log.info(json.dumps({"event_type": event.event_type, **event.fields}))

        def judge(result: AttemptResult) -> RetryDecision:
            decision = turn.chain.decide(result, elapsed=turn.elapsed)
            log = partial(_log_change, context)
            return consult(ledger, self.job, result.started_at, decision, log)

        begin = partial(
            run_attempt,
            limit_timeout(spec, turn.chain.time_left(turn.elapsed)),
            attempt=turn.attempt,
            on_output=_forward,
            on_event=show,
        )
        return run_judged(lambda ask: begin(is_repeated=ask), judge)

    def _retry(
        self,
        context: dg.OpExecutionContext,
        turn: "_Turn",
        result: AttemptResult,
        decision: RetryDecision,
    ) -> datetime:
        """See to it that another attempt follows: in this run, or else in a new one, then."""
        _log(context, retry_attempt(self.job.id, result, decision))
        if not turn.chain.leaves_run(decision.delay):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """Where a run has got to with a job: at attempt `attempt`, having begun at `started`, seconds
    since the epoch.
    """

    chain: Chain
    attempt: int
    started: float

    @classmethod
    def of(cls, context: dg.OpExecutionContext, chain: Chain) -> "_Turn":
        """As the attempt begins."""
        return cls(
            chain=chain,
            attempt=first_attempt(context.run) + context.retry_number,
            started=_first_start(context),
        )

    @property
    def elapsed(self) -> timedelta:
        """How long ago the run began with the job."""
        return timedelta(seconds=time.time() - self.started)

    def wait(self, context: dg.OpExecutionContext) -> None:
        """For a retry in the same run. In here an interrupt ends the wait at once; Dagster's own
        waits go on till they are over, and are left to runs that have other jobs to do meanwhile.
        """
        if context.retry_number > 0 and _is_alone(context):
            try:
                time.sleep(self.chain.delay(self.attempt - 1).total_seconds())
            except DagsterExecutionInterruptedError:
                context.log.info("cancelled while it waited for attempt %s", self.attempt)
                raise


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


def _log_change(context: dg.OpExecutionContext, record: LogRecord) -> None:
    """Log what has come of asking the ledger. A run that has changed a breaker says so in its tags."""
    _log(context, record)
    _, _, change = record.event_type.partition("breaker_")
    if change:
        key = tags.breaker_change(str(record.fields["tenant"]), str(record.fields["connector"]))
        context.instance.add_run_tags(context.run_id, {key: change})


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
        description=_describe_end(result, decision),
        metadata=record_counts(result),
    )


def _describe_end(result: AttemptResult, decision: RetryDecision) -> str:
    match result.outcome:
        case Outcome.SUCCEEDED:
            return "every record was committed"
        case Outcome.PARTIAL if result.metrics:
            return "some records were rejected, the rest were committed"
        case Outcome.PARTIAL:
            return (
                "the program returned 1, which stands for partial success, but wrote no"
                " `metrics_complete` event: an uncaught exception of Python returns 1 as well"
            )
        case Outcome.FAILED | Outcome.TIMED_OUT | Outcome.CANCELLED:
            return f"the attempt failed, which does not matter: {decision.reason}"
        case _:
            assert_never(result.outcome)
