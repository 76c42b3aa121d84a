"""What is said to fire is what Dagster fires: the ticks are pinned to its own, private, iterator."""

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from itertools import islice, takewhile

import pytest
from dagster._utils.schedules import schedule_execution_time_iterator
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestration.domain.cron import CronError, normalise_cron, shift_cron
from orchestration.domain.exact import exact_crons
from orchestration.domain.schedule import CronTrigger
from orchestration.domain.ticks import ticks

ZONES = [
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/St_Johns",
    "America/Santiago",
    "America/Havana",
    "America/Nuuk",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Atlantic/Azores",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Antarctica/Troll",
]
# Weeks in which most of these zones change their clocks, so that not all examples are dull.
WEEKS = [(2025, 3, 29), (2025, 10, 25), (2026, 2, 14), (2026, 3, 7), (2026, 4, 4), (2026, 9, 5)]
SPAN = timedelta(days=70)


def one_of(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    pair = st.tuples(number, number).map(sorted)
    return st.one_of(
        number.map(str), pair.map("{0[0]}-{0[1]}".format), pair.map("{0[0]},{0[1]}".format)
    )


STAR = st.just("*")
HOURS_OF_CHANGES = st.sampled_from(["0", "1", "2", "3", "23", "0,23", "1-3", "*/2"])
EXPRESSIONS = st.tuples(
    st.one_of(one_of(0, 59), st.sampled_from(["0", "30", "*/15", "*/7"])),
    st.one_of(STAR, HOURS_OF_CHANGES, HOURS_OF_CHANGES, one_of(0, 23)),
    st.one_of(STAR, STAR, one_of(1, 31)),
    st.one_of(STAR, STAR, STAR, one_of(1, 12)),
    st.one_of(STAR, STAR, one_of(0, 6)),
).map(" ".join)
STARTS = st.one_of(
    st.tuples(st.sampled_from(WEEKS), st.integers(-3600, 3 * 86400)).map(
        lambda at: datetime(*at[0], tzinfo=UTC) + timedelta(seconds=at[1])
    ),
    st.integers(int(datetime(2025, 1, 1).timestamp()), int(datetime(2035, 1, 1).timestamp())).map(  # noqa: DTZ001 - any bounds
        lambda second: datetime.fromtimestamp(second, UTC)
    ),
)


def test_dagster_is_the_version_that_its_private_iterator_was_read_in():
    """With another one, read `dagster._utils.schedules` again: its faults are in `domain/exact.py`."""
    assert version("dagster") == "1.13.27"


def fired_by_dagster(crons, zone, start) -> list[datetime]:
    fired = schedule_execution_time_iterator(start.timestamp(), list(crons), zone)
    return list(
        islice(takewhile(lambda at: at.timestamp() < (start + SPAN).timestamp(), fired), 50)
    )


@settings(max_examples=800, deadline=None)
@given(EXPRESSIONS, st.sampled_from(ZONES), STARTS)
def test_the_ticks_are_those_that_dagster_fires_from_whatever_moment(expression, zone, start):
    try:
        expression = normalise_cron(expression)
    except CronError:
        assume(condition=False)
    trigger = CronTrigger(expressions=(expression,), timezone=zone)
    crons = exact_crons(trigger)
    assume(crons is not None)
    told = islice(ticks(trigger, start=start, end=start + SPAN), 50)
    fired = fired_by_dagster(crons, zone, start)
    assert [tick.timestamp() for tick in told] == [tick.timestamp() for tick in fired]


@pytest.mark.parametrize(
    ("expression", "zone", "start"),
    [
        ("30 23 * * *", "America/Santiago", "2026-04-04T23:15-04:00"),
        ("0 0 29 * *", "UTC", "2028-03-02T00:00+00:00"),
    ],
)
def test_dagster_fails_on_some_expressions_as_they_are_written(expression, zone, start):
    """If this one fails, Dagster has been mended, and `domain/exact.py` may go."""
    start = datetime.fromisoformat(start)
    with pytest.raises(Exception, match=r"Invariant failed\."):
        fired_by_dagster([expression], zone, start)
    trigger = CronTrigger(expressions=(expression,), timezone=zone)
    assert fired_by_dagster(exact_crons(trigger), zone, start)


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, st.integers(0, 1439))
def test_a_shifted_expression_fires_that_much_later(expression, minutes):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    try:
        expression = normalise_cron(expression)
        shifted = shift_cron(expression, minutes)
    except CronError:
        assume(condition=False)
    later = timedelta(minutes=minutes)
    before = ticks(CronTrigger(expressions=(expression,)), start=start - later, end=start + SPAN)
    after = ticks(CronTrigger(expressions=shifted), start=start, end=start + SPAN + later)
    assert list(islice(after, 50)) == [tick + later for tick in islice(before, 50)]
