"""What happens inside a run: one attempt of the asset's job, and what follows from its outcome."""

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, assert_never

import dagster as dg

from orchestration.defs import tags
from orchestration.defs.metadata import attempt_metadata, record_counts
from orchestration.domain.events import ConnectorEvent
from orchestration.domain.job import Job
from orchestration.domain.outcome import AttemptResult, Outcome
from orchestration.domain.retry import decide
from orchestration.domain.workspace import Workspace
from orchestration.errors import OrchestrationError
from orchestration.observability import LogRecord, job_finished, json_log_line, retry_attempt
from orchestration.runner import Stream, job_lock, prepare, run_attempt

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
        """One attempt of the job.

        Raises:
            RetryRequested: the policy of the job wants another attempt.
            Failure: the attempt failed and the policy does not, or it could not start.
        """
        try:
            # Dagster's own limits decide how many of its runs overlap: they share the lock.
            with job_lock(self.workspace.settings.state_directory, self.job.id, shared=True):
                result = self._attempt(context)
        except OrchestrationError as error:
            raise _not_started(self.job, error) from error
        self._retry_or_go_on(context, result)
        if not result.landed:
            raise _failure(self.job, result)
        yield dg.MaterializeResult(
            asset_key=dg.AssetKey(self.job.asset_key),
            metadata=attempt_metadata(self.job, result),
            check_results=[_complete_check(self.job, result)],
        )

    def _attempt(self, context: dg.OpExecutionContext) -> AttemptResult:
        attempt = context.retry_number + 1
        spec = prepare(
            self.job,
            workspace=self.workspace,
            environ=os.environ,
            run_id=context.run_id,
            attempt=attempt,
            traceparent=context.run.tags.get(tags.TRACEPARENT),
            full_refresh=context.run.tags.get(tags.FULL_REFRESH) == "true",
        )

        def show(event: ConnectorEvent) -> None:
            context.log.info(json.dumps({"event_type": event.event_type, **event.fields}))

        return run_attempt(spec, attempt=attempt, on_output=_forward, on_event=show)

    def _retry_or_go_on(self, context: dg.OpExecutionContext, result: AttemptResult) -> None:
        decision = decide(self.job.retry, result, seed=context.run.root_run_id or context.run_id)
        record = retry_attempt if decision.retry else job_finished
        _log(context, record(self.job.id, result, decision))
        if decision.retry:
            raise dg.RetryRequested(
                max_retries=self.job.retry.max_retries,
                seconds_to_wait=decision.delay.total_seconds(),
            ) from _failure(self.job, result)


def _forward(stream: Stream, line: str) -> None:
    """Give a line of the child to Dagster's capture of this process's own output."""
    target = sys.stderr if stream is Stream.STDERR else sys.stdout
    target.write(f"{line}\n")
    target.flush()


def _log(context: dg.OpExecutionContext, record: LogRecord) -> None:
    text = json_log_line(record, datetime.now(UTC))
    context.log.log(logging.getLevelNamesMapping()[record.level], text)


def _failure(job: Job, result: AttemptResult) -> dg.Failure:
    return dg.Failure(
        description=f"job `{job.id}` failed: {result.reason}",
        metadata=attempt_metadata(job, result),
        allow_retries=False,
    )


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


def _complete_check(job: Job, result: AttemptResult) -> dg.AssetCheckResult:
    match result.outcome:
        case Outcome.SUCCEEDED:
            description = "every record was committed"
        case Outcome.PARTIAL:
            description = "some records were rejected, the rest were committed"
            if not result.metrics:
                description = (
                    "the program returned 1, which stands for partial success, but wrote no"
                    " `metrics_complete` event: an uncaught exception of Python returns 1 as well"
                )
        case Outcome.FAILED | Outcome.TIMED_OUT | Outcome.CANCELLED:
            raise _failure(job, result)
        case _:
            assert_never(result.outcome)
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey(job.asset_key),
        check_name=COMPLETE_CHECK,
        passed=result.outcome is Outcome.SUCCEEDED,
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata=record_counts(result),
    )
