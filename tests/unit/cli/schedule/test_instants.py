from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orchestration.cli.schedule.errors import InstantError
from orchestration.cli.schedule.instants import parse_instant, read_range

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01", "2026-03-01T00:00:00+01:00"),
        ("2026-07-01T02:30", "2026-07-01T02:30:00+02:00"),
        ("2026-07-01 02:30:15", "2026-07-01T02:30:15+02:00"),
        ("2026-07-01T00:30:00Z", "2026-07-01T02:30:00+02:00"),
        ("2026-07-01T02:30:00-04:00", "2026-07-01T08:30:00+02:00"),
        ("2026-03-29T02:30", "2026-03-29T03:30:00+02:00"),  # skipped by the clocks
        ("2026-10-25T02:30", "2026-10-25T02:30:00+02:00"),  # occurs twice
    ],
)
def test_an_instant_is_in_the_zone_of_the_schedule(text, instant):
    assert parse_instant(text, zone=BERLIN, option="--from").isoformat() == instant


@pytest.mark.parametrize("text", ["tomorrow", "2026-02-30", "2026-13-01", "12:00", ""])
def test_what_is_no_instant_is_refused_with_examples(text):
    with pytest.raises(InstantError) as caught:
        parse_instant(text, zone=BERLIN, option="--to")

    assert str(caught.value) == (
        f"error ORC632: `--to {text}` is no instant\n"
        "   help: write a date or a date-time: `2026-03-29`, `2026-03-29T02:30`, or with an offset"
        " `2026-03-29T02:30:00+02:00`"
    )


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+01:00", "1899-12-31", "9999-12-31T23:59:59Z"]
)
def test_an_instant_that_is_centuries_away_is_refused(text):
    with pytest.raises(InstantError) as caught:
        parse_instant(text, zone=BERLIN, option="--to")

    assert str(caught.value) == (
        f"error ORC632: `--to {text}` is out of range\n"
        "   help: name an instant of the years 1900 to 9989"
    )


def test_the_range_is_a_week_from_now_where_nothing_else_is_said():
    first, last = read_range(None, None, zone=BERLIN, now=NOW)

    assert (first, last) == (NOW, NOW + timedelta(days=7))
    assert first.tzinfo is BERLIN


def test_the_end_follows_the_start_by_a_week():
    first, last = read_range("2026-01-01", None, zone=BERLIN, now=NOW)

    assert [first.isoformat(), last.isoformat()] == [
        "2026-01-01T00:00:00+01:00",
        "2026-01-08T00:00:00+01:00",
    ]


def test_a_range_that_ends_before_it_begins_is_refused():
    with pytest.raises(InstantError) as caught:
        read_range("2026-01-02", "2026-01-01", zone=UTC, now=NOW)

    assert caught.value.reason == (
        "the range ends at 2026-01-01T00:00:00+00:00, before it begins at 2026-01-02T00:00:00+00:00"
    )
