from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.domain.events import ConnectorEvent
from orchestration.domain.job import CommandTask, Job, JobKind
from orchestration.domain.outcome import AttemptResult, Outcome
from orchestration.domain.problem import Location
from orchestration.domain.retry import NO_RETRIES, RetryPolicy
from orchestration.observability import LogRecord
from orchestration.runner import ProcessSpec, Stopped, Stream, run_with_retries

POLICY = RetryPolicy(
    max_retries=2, initial_delay=timedelta(seconds=10), retryable_exit_codes=frozenset({1, 2})
)

JOB = Job(
    tenant="acme",
    name="orders",
    asset="orders",
    kind=JobKind.COMMAND,
    task=CommandTask(command=("extract",), working_directory=Path("/")),
    location=Location(file="jobs/acme/orders.yaml"),
)


@dataclass
class World:
    """Attempts that end as told, and a clock that notes how long one slept."""

    codes: list[int]
    specs: list[ProcessSpec] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    log: list[LogRecord] = field(default_factory=list)
    lines: list[tuple[Stream, str]] = field(default_factory=list)
    events: list[ConnectorEvent] = field(default_factory=list)

    def prepare(self, attempt: int) -> ProcessSpec:
        return ProcessSpec(argv=("extract", str(attempt)), working_directory=Path("/"), environ={})

    def run_attempt(self, spec, *, attempt, on_output, on_event) -> AttemptResult:
        self.specs.append(spec)
        on_output(Stream.STDOUT, f"attempt {attempt}")
        on_event(ConnectorEvent(event_type="metrics_api", fields={"attempt": attempt}))
        code = self.codes.pop(0)
        outcomes = {0: Outcome.SUCCEEDED, 1: Outcome.PARTIAL}
        return AttemptResult(
            outcome=outcomes.get(code, Outcome.FAILED),
            attempt=attempt,
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
            duration=timedelta(seconds=1),
            exit_code=code,
        )

    def run(self, policy: RetryPolicy = POLICY, **replaced) -> AttemptResult:
        return run_with_retries(
            replace(JOB, retry=policy),
            self.prepare,
            seed="run-1",
            run_timeout=timedelta(hours=24),
            on_output=lambda stream, line: self.lines.append((stream, line)),
            on_event=self.events.append,
            on_log=self.log.append,
            **{"run": self.run_attempt, "sleep": self.slept.append, **replaced},
        )


def test_a_first_success_is_the_end():
    world = World([0])
    result = world.run()
    assert (result.outcome, result.attempt) == (Outcome.SUCCEEDED, 1)
    assert world.slept == []
    assert [record.event_type for record in world.log] == ["job_started", "job_finished"]


def test_each_retry_is_prepared_anew_waited_for_and_told():
    world = World([2, 2, 0])
    result = world.run()
    assert (result.outcome, result.attempt) == (Outcome.SUCCEEDED, 3)
    assert [spec.argv for spec in world.specs] == [
        ("extract", "1"),
        ("extract", "2"),
        ("extract", "3"),
    ]
    assert world.slept == [10.0, 20.0]
    assert [
        (record.fields["attempt"], record.fields["delay_seconds"], record.fields["reason"])
        for record in world.log
        if record.event_type == "retry_attempt"
    ] == [(1, 10.0, "exit code 2 is retryable"), (2, 20.0, "exit code 2 is retryable")]


def test_the_end_says_why_no_other_attempt_follows():
    world = World([2, 2, 2])
    assert world.run().outcome is Outcome.FAILED
    assert world.log[-1].event_type == "job_finished"
    assert world.log[-1].fields["reason"] == "all 2 retries are used up"


def test_partial_success_stays_partial_when_the_retries_are_used_up():
    world = World([1, 1, 1])
    result = world.run()
    assert (result.outcome, result.attempt) == (Outcome.PARTIAL, 3)


def test_without_retries_there_is_one_attempt():
    world = World([2])
    assert world.run(NO_RETRIES).attempt == 1
    assert world.slept == []


def test_output_and_events_of_all_attempts_are_handed_on():
    world = World([2, 0])
    world.run()
    assert world.lines == [(Stream.STDOUT, "attempt 1"), (Stream.STDOUT, "attempt 2")]
    assert [event.fields for event in world.events] == [{"attempt": 1}, {"attempt": 2}]


def test_being_stopped_ends_the_wait_for_a_retry():
    world = World([2, 0])

    def sleep(_seconds: float) -> None:
        raise Stopped(15)

    with pytest.raises(Stopped) as caught:
        world.run(sleep=sleep)
    assert caught.value.signum == 15
    assert len(world.specs) == 1
