"""What follows each attempt of a job, in the run that has begun and in those that go on with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

from orchestration.domain.job import JobKind
from orchestration.domain.outcome import Outcome
from orchestration.domain.retry import Refusal, decide

if TYPE_CHECKING:
    from orchestration.domain.job import Job
    from orchestration.domain.outcome import AttemptResult
    from orchestration.domain.retry import RetryDecision
    from orchestration.domain.workspace import Settings

_SETTLED: Final = Refusal(
    rule="outcome",
    reason="a connector job goes on behind the records that it rejects, so that another attempt"
    " would not meet them again",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The attempts of a job until it succeeds or nothing follows. `run_id` is the id of the first of
    their runs: who knows it knows all delays.

    A retry that is due later than `retry_in_run` is a new run, with the whole `run_timeout` for its
    attempts and waits.
    """

    job: Job
    run_id: str
    retry_in_run: timedelta
    run_timeout: timedelta

    @classmethod
    def of(cls, job: Job, settings: Settings, run_id: str) -> Self:
        """The chain that the first run of the job with that id begins."""
        return cls(
            job=job,
            run_id=run_id,
            retry_in_run=settings.retry_in_run,
            run_timeout=job.run_timeout or settings.run_timeout,
        )

    def delay(self, attempt: int) -> timedelta:
        """The wait after attempt `attempt`. What fails at once, job by job, does not come back at
        once: the jobs of one run draw lots of their own.
        """
        return self.job.retry.delay(attempt, seed=f"{self.run_id}/{self.job.id}")

    def leaves_run(self, delay: timedelta) -> bool:
        """Whether a wait is too long to hold the slots of a run meanwhile."""
        return delay > self.retry_in_run

    def time_left(self, elapsed: timedelta) -> timedelta:
        """What is left to a run that began so long ago."""
        return self.run_timeout - elapsed

    def decide(
        self, result: AttemptResult, *, elapsed: timedelta, delay: timedelta | None = None
    ) -> RetryDecision:
        """What follows an attempt, as far as the job decides it. `elapsed` is how long ago its run
        began; `delay` stands for the wait that the lots give.

        A partial success of a connector job is never repeated: its cursor and its dead letters were
        committed with its rows. A command is repeated from the checkpoint that it began with.
        """
        delay = self.delay(result.attempt) if delay is None else delay
        left = None if self.leaves_run(delay) else self.time_left(elapsed)
        decision = decide(self.job.retry, result, delay=delay, time_left=left)
        is_settled = self.job.kind is JobKind.CONNECTOR and result.outcome is Outcome.PARTIAL
        return decision.refused(_SETTLED) if decision.retry and is_settled else decision
