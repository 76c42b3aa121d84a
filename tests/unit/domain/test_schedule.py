from datetime import timedelta

import pytest

from orchestration.domain.schedule import CronTrigger, IntervalTrigger, cron_union


@pytest.mark.parametrize(
    ("interval", "crons"),
    [
        (timedelta(minutes=1), ("* * * * *",)),
        (timedelta(minutes=15), ("*/15 * * * *",)),
        (timedelta(hours=1), ("0 * * * *",)),
        (timedelta(hours=6), ("0 0,6,12,18 * * *",)),
        (timedelta(days=1), ("0 0 * * *",)),
        (
            timedelta(minutes=90),
            ("0 0,3,6,9,12,15,18,21 * * *", "30 1,4,7,10,13,16,19,22 * * *"),
        ),
    ],
)
def test_an_interval_that_divides_a_day_is_a_union_of_crons(interval, crons):
    assert cron_union(interval) == crons


@pytest.mark.parametrize(
    "interval",
    [
        timedelta(0),
        timedelta(seconds=90),
        timedelta(minutes=1, microseconds=1),
        timedelta(minutes=7),
        timedelta(hours=7),
        timedelta(days=2),
        timedelta(minutes=-5),
    ],
)
def test_any_other_interval_is_not(interval):
    assert cron_union(interval) is None


@pytest.mark.parametrize(
    ("interval", "offset", "crons"),
    [
        (timedelta(minutes=15), timedelta(minutes=7), ("7,22,37,52 * * * *",)),
        (timedelta(hours=1), timedelta(minutes=7), ("7 * * * *",)),
        (timedelta(days=1), timedelta(minutes=61), ("1 1 * * *",)),
        (timedelta(minutes=15), timedelta(minutes=30), ("*/15 * * * *",)),
        (timedelta(minutes=15), timedelta(seconds=30), None),
        (timedelta(minutes=7), timedelta(minutes=1), None),
    ],
)
def test_a_moved_interval_is_a_union_of_moved_crons(interval, offset, crons):
    assert cron_union(interval, offset) == crons


def test_triggers_describe_themselves():
    cron = CronTrigger(expressions=("0 1 * * *", "0 2 * * *"), timezone="Europe/Berlin")
    assert cron.description == "0 1 * * * | 0 2 * * * (Europe/Berlin)"
    assert IntervalTrigger(interval=timedelta(minutes=90)).description == "every 1h30m (UTC grid)"
