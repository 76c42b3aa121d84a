from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.domain.backoff import Jitter
from orchestration.domain.chain import Chain
from orchestration.domain.events import ConnectorEvent
from orchestration.domain.job import CommandTask, Job, JobKind
from orchestration.domain.outcome import AttemptResult, Outcome
from orchestration.domain.problem import Location
from orchestration.domain.retry import (
    NO_RETRIES,
    Disposition,
    ErrorClass,
    Refusal,
    RetryPolicy,
)
from orchestration.errors import LedgerUnavailableError
from orchestration.observability import LogRecord
from orchestration.runner import ProcessSpec, Stopped, Stream, limit_timeout, run_with_retries

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


START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class World:
    """Attempts that end as told, and a clock that notes how long one slept."""

    codes: list[int]
    job: Job = JOB
    now: float = 0.0
    timeout: timedelta | None = None
    is_lost: bool = False
    kept: list[bool] = field(default_factory=list)
    specs: list[ProcessSpec] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    log: list[LogRecord] = field(default_factory=list)
    lines: list[tuple[Stream, str]] = field(default_factory=list)
    events: list[ConnectorEvent] = field(default_factory=list)

    def prepare(self, attempt: int) -> ProcessSpec:
        return ProcessSpec(
            argv=("extract", str(attempt)),
            working_directory=Path("/"),
            environ={},
            timeout=self.timeout,
        )

    def run_attempt(self, spec, *, attempt, on_output, on_event, is_repeated) -> AttemptResult:
        self.specs.append(spec)
        on_output(Stream.STDOUT, f"attempt {attempt}")
        on_event(ConnectorEvent(event_type="metrics_api", fields={"attempt": attempt}))
        code, began = self.codes.pop(0), START + timedelta(seconds=self.now)
        self.now += 1
        outcomes = {0: Outcome.SUCCEEDED, 1: Outcome.PARTIAL}
        result = AttemptResult(
            outcome=outcomes.get(code, Outcome.FAILED),
            attempt=attempt,
            started_at=began,
            duration=timedelta(seconds=1),
            exit_code=code,
        )
        if result.outcome is Outcome.PARTIAL:
            self.kept.append(not is_repeated(result))
        return replace(result, outcome=Outcome.FAILED, fault="lost") if self.is_lost else result

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def told(self, event_type: str) -> list[dict]:
        return [record.fields for record in self.log if record.event_type == event_type]

    def run(
        self,
        policy: RetryPolicy = POLICY,
        run_timeout: timedelta = timedelta(hours=24),
        **replaced,
    ) -> AttemptResult:
        chain = Chain(
            job=replace(self.job, retry=policy),
            run_id="run-1",
            retry_in_run=timedelta(seconds=60),
            run_timeout=run_timeout,
        )
        return run_with_retries(
            chain,
            self.prepare,
            on_output=lambda stream, line: self.lines.append((stream, line)),
            on_event=self.events.append,
            on_log=self.log.append,
            **{
                "run": self.run_attempt,
                "sleep": self.sleep,
                "clock": lambda: self.now,
                **replaced,
            },
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


def test_a_partial_success_keeps_its_checkpoint_only_if_nothing_follows():
    world, last = World([1, 1, 0]), World([1, 1, 1])
    refused, single = World([1]), World([1])
    ledger = FakeLedger(retries=0)
    world.run()
    last.run()
    refused.run(ledger=ledger)
    single.run(NO_RETRIES)

    assert (world.kept, last.kept) == ([False, False], [False, False, True])
    assert (refused.kept, single.kept) == ([True], [True])
    # It is told of an attempt once, and asked once.
    assert ledger.calls == [
        ("record", "acme/orders", "partial", "transient"),
        ("claim_retry", "acme/orders"),
    ]


def test_a_checkpoint_that_cannot_be_kept_is_a_failure_like_any_other():
    world = World([1, 0], is_lost=True)

    result = world.run(replace(POLICY, max_retries=0), ledger=FakeLedger(retries=0))

    assert (result.outcome, result.reason, world.kept) == (Outcome.FAILED, "lost", [True])


def test_the_time_of_a_run_counts_anew_after_a_wait_for_which_another_run_would_begin():
    world = World([2, 2, 2, 0])
    policy = replace(POLICY, max_retries=3, initial_delay=timedelta(seconds=40))

    world.run(policy, run_timeout=timedelta(seconds=50))

    assert world.slept == [40, 80, 160]
    assert [spec.timeout.total_seconds() for spec in world.specs] == [50, 9, 50, 50]


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


def test_each_attempt_gets_no_more_time_than_the_run_has_left():
    world = World([2, 2, 0], timeout=timedelta(seconds=20))

    world.run(run_timeout=timedelta(seconds=45))

    # 1 s for each attempt, and waits of 10 s and 20 s.
    assert [spec.timeout.total_seconds() for spec in world.specs] == [20, 20, 13]


def test_an_attempt_without_a_timeout_has_that_of_its_run():
    world = World([0])

    world.run(run_timeout=timedelta(seconds=45))

    assert world.specs[0].timeout == timedelta(seconds=45)


def test_no_attempt_begins_after_the_time_of_the_run():
    world = World([2, 2, 0])

    result = world.run(run_timeout=timedelta(seconds=25))

    assert (result.outcome, result.attempt, world.slept) == (Outcome.FAILED, 2, [10.0])
    [end] = world.told("job_finished")
    assert (end["rule"], end["reason"]) == (
        "run_timeout",
        "a wait of 20s does not fit into the 13s that the run has left",
    )


def test_time_that_is_over_leaves_an_attempt_a_moment_and_not_all_of_eternity():
    spec = World([]).prepare(1)

    assert limit_timeout(spec, timedelta(seconds=-5)).timeout == timedelta(milliseconds=1)


def test_a_failure_that_is_discarded_ends_the_run_as_a_partial_success():
    late = ErrorClass(name="late", disposition=Disposition.DISCARDABLE, exit_codes=frozenset({9}))
    world = World([2, 9])

    result = world.run(replace(POLICY, error_classes=(late,)))

    assert (result.outcome, result.attempt, result.exit_code) == (Outcome.PARTIAL, 2, 9)
    [end] = world.told("job_finished")
    assert (end["outcome"], end["disposition"]) == ("partial", "discardable")


def test_the_delays_are_those_of_the_first_run():
    policy = replace(POLICY, jitter=Jitter.DECORRELATED)
    world = World([2, 2, 0])

    world.run(policy)

    assert world.slept == [
        policy.delay(n, seed="run-1/acme/orders").total_seconds() for n in (1, 2)
    ]


@dataclass
class FakeLedger:
    """Grants as many retries as it has left, and remembers what it was told and asked, for whom."""

    retries: int
    calls: list[tuple[str, ...]] = field(default_factory=list)
    begins: list[datetime] = field(default_factory=list)

    def record(self, job, outcome, disposition=None, *, began):
        self.begins.append(began)
        self.calls.append(("record", job.id, outcome.value, disposition and disposition.value))
        return LogRecord(event_type="noted", fields={"job": job.id})

    def claim_retry(self, job):
        self.calls.append(("claim_retry", job.id))
        self.retries -= 1
        return Refusal(rule="budget", reason="used up") if self.retries < 0 else None


@pytest.mark.parametrize("tenant", ["acme", "globex", "initech"])
def test_the_ledger_is_told_of_each_attempt_before_it_is_asked_for_a_retry(tenant: str):
    ledger = FakeLedger(retries=1)
    world = World([2, 2], job=replace(JOB, tenant=tenant))

    result = world.run(ledger=ledger)

    job_id = f"{tenant}/orders"
    assert ledger.calls == [
        ("record", job_id, "failed", "transient"),
        ("claim_retry", job_id),
        ("record", job_id, "failed", "transient"),
        ("claim_retry", job_id),
    ]
    assert ledger.begins == [START, START + timedelta(seconds=11)]
    assert (result.attempt, world.slept) == (2, [10.0])
    [end] = world.told("job_finished")
    assert (end["rule"], end["reason"], end["disposition"]) == ("budget", "used up", "transient")
    assert len(world.told("noted")) == 2


def test_the_ledger_is_not_asked_for_retries_that_nobody_wants():
    ledger = FakeLedger(retries=0)
    World([3]).run(ledger=ledger)
    World([0]).run(ledger=ledger)

    assert ledger.calls == [
        ("record", "acme/orders", "failed", "permanent"),
        ("record", "acme/orders", "succeeded", None),
    ]


class LostLedger:
    """A ledger whose database has gone away."""

    def record(self, _job, _outcome, _disposition=None, **_more):
        raise LedgerUnavailableError("the database is away", help="")

    def claim_retry(self, job):
        raise AssertionError(job)


@pytest.mark.parametrize(
    ("codes", "outcome", "rule"), [([0], "succeeded", "outcome"), ([2], "failed", "breaker")]
)
def test_without_its_ledger_an_attempt_ends_as_it_did_and_is_not_repeated(codes, outcome, rule):
    world = World(codes)

    result = world.run(ledger=LostLedger())

    assert (result.outcome.value, result.attempt) == (outcome, 1)
    [told] = world.told("ledger_unavailable")
    assert (told["job"], told["reason"]) == ("acme/orders", "the database is away")
    [end] = world.told("job_finished")
    assert end["rule"] == rule
