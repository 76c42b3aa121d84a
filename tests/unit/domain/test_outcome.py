from datetime import UTC, datetime, timedelta
from signal import SIGHUP, SIGINT, SIGKILL, SIGSEGV, SIGTERM

import pytest

from orchestration.domain.outcome import AttemptResult, Ending, Outcome, classify, exit_code_of


def make_result(**facts) -> AttemptResult:
    return AttemptResult(
        attempt=1,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        duration=timedelta(seconds=3),
        **facts,
    )


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (0, Outcome.SUCCEEDED),
        (1, Outcome.PARTIAL),
        (2, Outcome.FAILED),
        (3, Outcome.FAILED),
        (127, Outcome.FAILED),
        (129, Outcome.FAILED),
        (130, Outcome.CANCELLED),
        (137, Outcome.FAILED),
        (143, Outcome.CANCELLED),
        (255, Outcome.FAILED),
    ],
)
def test_a_returned_code_decides_the_outcome(code: int, outcome: Outcome):
    assert classify(Ending(exit_code=code)) is outcome


@pytest.mark.parametrize(
    ("signal", "outcome"),
    [
        (SIGINT, Outcome.CANCELLED),
        (SIGTERM, Outcome.CANCELLED),
        (SIGHUP, Outcome.FAILED),
        (SIGKILL, Outcome.FAILED),
        (SIGSEGV, Outcome.FAILED),
        (64, Outcome.FAILED),
    ],
)
def test_a_deadly_signal_decides_the_outcome(signal: int, outcome: Outcome):
    assert classify(Ending(signal=signal)) is outcome


@pytest.mark.parametrize("facts", [{"exit_code": 0}, {"signal": SIGTERM}, {"signal": SIGKILL}])
def test_being_stopped_by_us_decides_before_how_the_process_took_it(facts: dict[str, int]):
    assert classify(Ending(**facts, timed_out=True)) is Outcome.TIMED_OUT
    assert classify(Ending(**facts, cancelled=True)) is Outcome.CANCELLED


def test_a_process_that_outlived_sigkill_failed():
    assert classify(Ending()) is Outcome.FAILED


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (make_result(outcome=Outcome.SUCCEEDED, exit_code=0), 0),
        (make_result(outcome=Outcome.PARTIAL, exit_code=1), 1),
        (make_result(outcome=Outcome.FAILED, exit_code=77), 2),
        (make_result(outcome=Outcome.FAILED, signal=SIGKILL), 2),
        (make_result(outcome=Outcome.TIMED_OUT, signal=SIGTERM), 2),
        (make_result(outcome=Outcome.TIMED_OUT, exit_code=130), 2),
        (make_result(outcome=Outcome.CANCELLED, signal=SIGINT), 130),
        (make_result(outcome=Outcome.CANCELLED, exit_code=130), 130),
        (make_result(outcome=Outcome.CANCELLED, signal=SIGTERM), 143),
        (make_result(outcome=Outcome.CANCELLED, exit_code=143), 143),
        (make_result(outcome=Outcome.CANCELLED, exit_code=0), 143),
    ],
)
def test_the_exit_code_of_run_follows_the_result(result: AttemptResult, code: int):
    assert exit_code_of(result) == code


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (make_result(outcome=Outcome.FAILED, exit_code=137), "exit code 137"),
        (make_result(outcome=Outcome.FAILED, signal=SIGKILL), "killed by SIGKILL"),
        (make_result(outcome=Outcome.FAILED, signal=64), "killed by SIGRTMAX"),
        (make_result(outcome=Outcome.FAILED, signal=50), "killed by signal 50"),
        (make_result(outcome=Outcome.TIMED_OUT, signal=SIGKILL), "timed out"),
    ],
)
def test_the_reason_tells_a_returned_code_from_a_signal(result: AttemptResult, reason: str):
    assert result.reason == reason


def test_data_landed_only_after_success_and_partial_success():
    landed = {outcome for outcome in Outcome if make_result(outcome=outcome).landed}
    assert landed == {Outcome.SUCCEEDED, Outcome.PARTIAL}
