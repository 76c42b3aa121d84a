"""Durations and intervals mean what they say."""

from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo, available_timezones

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from orchestration.config.instants import InstantError, parse_instant
from orchestration.domain.durations import format_duration, parse_duration
from orchestration.domain.schedule import cron_union

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DIVISORS = [minutes for minutes in range(1, 1441) if 1440 % minutes == 0]


@given(st.integers(1, 3650 * 86_400))
def test_whole_seconds_survive_the_way_to_text_and_back(seconds):
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


@given(st.integers(1, 59_999))
def test_milliseconds_below_a_minute_survive_too(milliseconds):
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration


@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from("smhd")), min_size=1, max_size=5))
def test_the_parts_of_a_duration_add_up(parts):
    seconds = sum(n * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[unit] for n, unit in parts)
    text = "".join(f"{number}{unit}" for number, unit in parts)
    if seconds:
        assert parse_duration(text) == timedelta(seconds=seconds)


@given(
    st.sampled_from(DIVISORS),
    st.integers(86_400, 4_000_000_000).map(lambda seconds: EPOCH + timedelta(seconds=seconds)),
)
def test_the_union_of_crons_fires_exactly_on_the_grid_of_the_epoch(minutes, start):
    """Over two days from any instant: no tick is missing, none is added, none comes twice."""
    interval = timedelta(minutes=minutes)
    end = start + timedelta(days=2)

    ticks = sorted(
        tick
        for expression in cron_union(interval)
        for tick in takewhile(lambda tick: tick <= end, CronSim(expression, start))
    )

    first = (start - EPOCH) // interval + 1
    last = (end - EPOCH) // interval
    assert ticks == [EPOCH + number * interval for number in range(first, last + 1)]


@given(st.integers(1, 200_000))
def test_only_whole_minutes_that_divide_a_day_have_a_union(seconds):
    exact = seconds % 60 == 0 and 86_400 % seconds == 0
    assert (cron_union(timedelta(seconds=seconds)) is not None) == exact


ZONES = st.sampled_from(sorted(available_timezones() - {"localtime"}))
INSTANTS = st.integers(631_152_000, 2_208_988_800).map(lambda s: EPOCH + timedelta(seconds=s))


@given(ZONES, INSTANTS)
def test_a_written_instant_is_that_instant_or_is_refused_where_clocks_repeat_it(zone, instant):
    local = instant.astimezone(ZoneInfo(zone))
    naive = local.replace(tzinfo=None)

    assert parse_instant(local.isoformat(), "UTC") == instant
    if local.utcoffset() == local.replace(fold=1 - local.fold).utcoffset():
        assert parse_instant(naive.isoformat(), zone) == instant
    else:
        with pytest.raises(InstantError, match="occurs twice"):
            parse_instant(naive.isoformat(), zone)


@given(ZONES, st.dates(date(1990, 1, 1), date(2040, 1, 1)))
def test_a_date_is_the_first_instant_of_its_day(zone, day):
    first = parse_instant(day.isoformat(), zone)

    before = (first - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
    assert before.date() < day <= first.astimezone(ZoneInfo(zone)).date()
