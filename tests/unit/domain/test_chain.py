from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.domain.backoff import Jitter
from orchestration.domain.chain import Chain
from orchestration.domain.job import CommandTask, ConnectorEnd, ConnectorTask, Job, JobKind
from orchestration.domain.outcome import AttemptResult, Outcome
from orchestration.domain.problem import Location
from orchestration.domain.retry import Disposition, RetryDecision, RetryPolicy
from orchestration.domain.workspace import Settings

FOLDER = Path("/etl")
POLICY = RetryPolicy(max_retries=3, initial_delay=timedelta(seconds=40))
COMMAND = Job(
    tenant="acme",
    name="orders",
    asset="orders",
    kind=JobKind.COMMAND,
    task=CommandTask(command=("extract",), working_directory=FOLDER),
    location=Location(file="jobs/acme/orders.yaml"),
    retry=POLICY,
)
CONNECTOR = replace(
    COMMAND,
    kind=JobKind.CONNECTOR,
    task=ConnectorTask(
        source=ConnectorEnd(connector="csv"),
        target=ConnectorEnd(connector="duckdb"),
        working_directory=FOLDER,
    ),
)
SETTINGS = Settings(state_directory=FOLDER)


def ended(outcome: Outcome, exit_code: int, attempt: int = 1) -> AttemptResult:
    return AttemptResult(
        outcome=outcome,
        attempt=attempt,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        duration=timedelta(seconds=3),
        exit_code=exit_code,
    )


PARTIAL, FAILED = ended(Outcome.PARTIAL, 1), ended(Outcome.FAILED, 2)


def chain(job: Job = COMMAND, run_id: str = "run-1", **settings) -> Chain:
    return Chain.of(job, replace(SETTINGS, **settings), run_id)


def test_a_command_that_succeeds_in_part_is_repeated():
    assert chain().decide(PARTIAL, elapsed=timedelta(0)) == RetryDecision(
        retry=True,
        rule="retryable_exit_codes",
        reason="exit code 1 is retryable",
        disposition=Disposition.TRANSIENT,
        outcome=Outcome.PARTIAL,
        delay=timedelta(seconds=40),
    )


def test_a_connector_that_succeeds_in_part_is_not_since_it_has_gone_on_behind_what_it_rejected():
    assert chain(CONNECTOR).decide(PARTIAL, elapsed=timedelta(0)) == RetryDecision(
        retry=False,
        rule="outcome",
        reason="a connector job goes on behind the records that it rejects, so that another attempt"
        " would not meet them again",
        disposition=Disposition.TRANSIENT,
        outcome=Outcome.PARTIAL,
    )
    assert chain(CONNECTOR).decide(FAILED, elapsed=timedelta(0)).retry


def test_a_connector_that_would_not_be_repeated_anyway_says_so():
    job = replace(CONNECTOR, retry=RetryPolicy())

    decision = chain(job).decide(PARTIAL, elapsed=timedelta(0))

    assert (decision.rule, decision.reason) == ("max_retries", "no retries are asked for")


@pytest.mark.parametrize(
    ("seconds", "in_run", "retried"),
    [(30, 60, True), (60, 60, True), (61, 60, False), (61, 39, True), (9999, 39, True)],
)
def test_only_a_wait_in_the_run_has_to_fit_into_the_time_of_the_run(seconds, in_run, retried):
    limited = chain(retry_in_run=timedelta(seconds=in_run), run_timeout=timedelta(seconds=101))

    decision = limited.decide(FAILED, elapsed=timedelta(seconds=seconds))

    # After 60 s there are 41 s left, and the wait takes 40 s.
    assert (decision.retry, decision.rule) == (
        retried,
        "retryable_exit_codes" if retried else "run_timeout",
    )


def test_the_time_of_a_run_is_that_of_the_job_or_else_of_the_settings():
    hasty = replace(COMMAND, run_timeout=timedelta(minutes=3))

    assert chain().time_left(timedelta(hours=1)) == timedelta(hours=23)
    assert chain(hasty).time_left(timedelta(minutes=1)) == timedelta(minutes=2)


def test_the_jobs_of_one_run_draw_lots_of_their_own_and_each_always_the_same():
    policy = replace(POLICY, jitter=Jitter.FULL)
    tenants = ("acme", "globex", "initech")
    jobs = [replace(COMMAND, tenant=t, name=f"n{n}", retry=policy) for t in tenants for n in (1, 2)]

    delays = {chain(job).delay(1) for job in jobs}

    assert len(delays) == len(jobs)
    assert chain(jobs[0]).delay(2) == policy.delay(2, seed="run-1/acme/n1")
