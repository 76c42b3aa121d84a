from datetime import timedelta

import pytest

from orchestration.cli.doctor.finding import fail, fine, warn
from orchestration.cli.doctor.observed import LiveSchedule
from orchestration.cli.doctor.retries import check_retries

TURN_ON = "turn the sensor `retries` on in the UI, under Automation"


@pytest.fixture
def waiting(bench):
    """A run that waits, due so long ago."""

    def waiting(tenant, ago: timedelta):
        due = (bench.now - ago).isoformat()
        return bench.run(tenant, "FAILURE", since=ago, tags={"orchestration/retry_at": due})

    return waiting


def examine(bench, *runs, is_on=True):
    live = bench.live(waiting=runs, retry_sensor=LiveSchedule(is_on=is_on))
    return list(check_retries(bench.observe(), live))


def test_retries_to_come_are_well(bench, waiting):
    soon = [waiting(tenant, timedelta(minutes=-5)) for tenant in ("acme", "globex")]
    just_now = waiting("initech", timedelta(minutes=1))

    assert examine(bench) == [fine("0 runs with a retry to come")]
    assert examine(bench, *soon, just_now) == [fine("3 runs with a retry to come")]


def test_a_sensor_that_is_off_is_told_and_is_an_error_while_retries_wait(bench, waiting):
    assert examine(bench, is_on=False) == [
        warn("no retry will be launched in a new run", help=TURN_ON)
    ]
    assert examine(bench, waiting("acme", timedelta(0)), is_on=False) == [
        fail("1 run with a retry that nobody launches", help=TURN_ON)
    ]


def test_a_retry_that_is_late_is_told_the_latest_first(bench, waiting):
    runs = [waiting("acme", timedelta(minutes=3)), waiting("globex", timedelta(hours=2))]

    assert examine(bench, *runs, waiting("initech", timedelta(0))) == [
        warn(
            f"the retry of {tenant}/orders is due for {late} and not launched (run run of {tenant})",
            help="the sensor `retries` says why in the UI; take it back with"
            f" `orchestrate retry cancel run of {tenant}`",
        )
        for tenant, late in (("globex", "2h"), ("acme", "3m"))
    ]


def test_an_instant_that_cannot_be_read_is_not_late(bench):
    run = bench.run("acme", "FAILURE", since=timedelta(0), tags={"orchestration/retry_at": "soon"})

    assert examine(bench, run) == [fine("1 run with a retry to come")]


def test_without_a_code_location_there_is_nothing_to_say(bench):
    assert list(check_retries(bench.observe(), bench.live(retry_sensor=None))) == []
