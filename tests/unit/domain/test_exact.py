from datetime import timedelta
from zoneinfo import available_timezones

import pytest

from orchestration.domain.exact import exact_crons
from orchestration.domain.schedule import CronTrigger, IntervalTrigger


def crons(*expressions: str, zone: str) -> tuple[str, ...] | None:
    return exact_crons(CronTrigger(expressions=expressions, timezone=zone))


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("30 2 * * *", "Europe/Berlin"),
        ("30 1 * * *", "America/New_York"),
        ("0 * * * *", "Asia/Kolkata"),
        ("30 23 * * *", "UTC"),
        ("30 4 * * *", "America/Santiago"),
        ("0 * * * *", "America/Santiago"),
        ("30 23 * 3 *", "America/Santiago"),
        ("30 23 31 * *", "America/Santiago"),
        ("30 2 * * *", "Australia/Lord_Howe"),
        ("0 4 * * *", "Pacific/Chatham"),
        ("0 0 29 2 *", "UTC"),
        ("0 0 */7 * *", "UTC"),
    ],
)
def test_most_expressions_are_handed_to_dagster_as_they_are(expression, zone):
    assert crons(expression, zone=zone) == (expression,)


@pytest.mark.parametrize(
    ("expression", "zone", "parts"),
    [
        ("30 23 * * *", "America/Santiago", ("30 23 * 2 *", "30 23 * 1,3-12 *")),
        ("30 2 * * 0", "Africa/Casablanca", ("30 2 * 2 0", "30 2 * 1,3-12 0")),
        ("30 1 * * *", "Europe/Dublin", ("30 1 * 2 *", "30 1 * 1,3-12 *")),
        ("0 * * * *", "Australia/Lord_Howe", ("0 * * 2 *", "0 * * 1,3-12 *")),
        ("0 0 29 * *", "UTC", ("0 0 29 2 *", "0 0 29 1,3-12 *")),
        ("0 0 29,31 2-4 1", "UTC", ("0 0 29,31 2 1", "0 0 29,31 3,4 1")),
    ],
)
def test_february_stands_apart_where_dagster_would_fail(expression, zone, parts):
    assert crons(expression, zone=zone) == parts


def test_each_of_several_expressions_is_made_exact():
    found = crons("30 4 * * *", "30 23 * * *", "30 4 * * *", zone="America/Santiago")
    assert found == ("30 4 * * *", "30 23 * 2 *", "30 23 * 1,3-12 *")


@pytest.mark.parametrize("expression", ["0 3 * * *", "0 * * * *", "*/15 1-3 * * *"])
def test_some_hours_of_two_zones_have_no_exact_expressions(expression):
    assert crons(expression, zone="Pacific/Chatham") is None
    assert crons("0 5 * * *", "0 1-3 * * *", zone="Antarctica/Troll") is None


def test_there_are_no_more_such_zones():
    """In Antarctica/Casey and Vostok the clocks did so before 2024."""
    zones = sorted(zone for zone in available_timezones() if crons("0 * * * *", zone=zone) is None)
    assert zones == [
        "Antarctica/Casey",
        "Antarctica/Troll",
        "Antarctica/Vostok",
        "NZ-CHAT",
        "Pacific/Chatham",
    ]


def test_an_interval_is_its_union():
    assert exact_crons(IntervalTrigger(interval=timedelta(hours=1))) == ("0 * * * *",)
    moved = IntervalTrigger(interval=timedelta(hours=1), offset=timedelta(minutes=7))
    assert exact_crons(moved) == ("7 * * * *",)
    assert exact_crons(IntervalTrigger(interval=timedelta(seconds=90))) is None
