"""The edges, written by hand: what fires in the two hours before and after the clocks change."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from orchestration.domain.problem import Location
from orchestration.domain.schedule import (
    AfterCompletionTrigger,
    CronTrigger,
    IntervalTrigger,
    OnceTrigger,
    Schedule,
    cron_union,
)
from orchestration.domain.ticks import (
    DstNote,
    dst_notes,
    is_timed,
    next_ticks,
    schedule_ticks,
    ticks,
)

TWO_HOURS = timedelta(hours=2)
MONTH = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))

# The first line of a change says when it is: the first instant with the new offset. Below it, what
# each expression fires within two hours before and after.
EDGES = """
Europe/Berlin 2025-2026
    2025-03-30T03:00+02:00
        30 2 * * *      2025-03-30T03:00+02:00
        0 2,3 * * *     2025-03-30T03:00+02:00
        0 * * * *       2025-03-30T00:00+01:00 2025-03-30T01:00+01:00 2025-03-30T03:00+02:00 2025-03-30T04:00+02:00
    2025-10-26T02:00+01:00
        30 2 * * *      2025-10-26T02:30+01:00
        0 1-3 * * *     2025-10-26T01:00+02:00 2025-10-26T02:00+01:00 2025-10-26T03:00+01:00
        30 * * * *      2025-10-26T01:30+02:00 2025-10-26T02:30+02:00 2025-10-26T02:30+01:00 2025-10-26T03:30+01:00
    2026-03-29T03:00+02:00
        30 2 * * *      2026-03-29T03:00+02:00
        */30 2 * * *    2026-03-29T03:00+02:00
    2026-10-25T02:00+01:00
        30 2 * * *      2026-10-25T02:30+01:00
        */30 2 * * *    2026-10-25T02:00+01:00 2026-10-25T02:30+01:00
Europe/Dublin 2025-2026
    2025-03-30T02:00+01:00
        30 1 * * *      2025-03-30T02:00+01:00
    2025-10-26T01:00+00:00
        30 1 * * *      2025-10-26T01:30+00:00
    2026-03-29T02:00+01:00
        0 1 * * 0       2026-03-29T02:00+01:00
    2026-10-25T01:00+00:00
        0 1 * * 0       2026-10-25T01:00+00:00
America/New_York 2025-2026
    2025-03-09T03:00-04:00
        30 2 * * *      2025-03-09T03:00-04:00
    2025-11-02T01:00-05:00
        30 1 * * *      2025-11-02T01:30-05:00
    2026-03-08T03:00-04:00
        15 2 8 * *      2026-03-08T03:00-04:00
    2026-11-01T01:00-05:00
        15 1 1 * *      2026-11-01T01:15-05:00
        15 * * * *      2026-11-01T00:15-04:00 2026-11-01T01:15-04:00 2026-11-01T01:15-05:00 2026-11-01T02:15-05:00
America/St_Johns 2025-2026
    2025-03-09T03:00-02:30
        30 2 * * *      2025-03-09T03:00-02:30
    2025-11-02T01:00-03:30
        30 1 * * *      2025-11-02T01:30-03:30
    2026-03-08T03:00-02:30
        0 * * * *       2026-03-08T00:00-03:30 2026-03-08T01:00-03:30 2026-03-08T03:00-02:30 2026-03-08T04:00-02:30
    2026-11-01T01:00-03:30
        0 1 * * *       2026-11-01T01:00-03:30
America/Santiago 2025-2026
    2025-04-05T23:00-04:00
        30 23 * * *     2025-04-05T23:30-04:00
    2025-09-07T01:00-03:00
        0 0 * * *       2025-09-07T01:00-03:00
        30 0 * * *      2025-09-07T01:30-03:00
    2026-04-04T23:00-04:00
        0 23 * * 6      2026-04-04T23:00-04:00
        0 * * * *       2026-04-04T22:00-03:00 2026-04-04T23:00-03:00 2026-04-04T23:00-04:00 2026-04-05T00:00-04:00
    2026-09-06T01:00-03:00
        30 0 * * *      2026-09-06T01:30-03:00
        30 0,1 * * *    2026-09-06T01:30-03:00
        0,30 0 * * *    2026-09-06T01:00-03:00 2026-09-06T01:30-03:00
America/Nuuk 2025-2026
    2025-03-30T00:00-01:00
        30 23 * * *     2025-03-30T00:30-01:00
    2025-10-25T23:00-02:00
        30 23 * * *     2025-10-25T23:30-02:00
    2026-03-29T00:00-01:00
        0 23 * * 6      2026-03-29T00:00-01:00
    2026-10-24T23:00-02:00
        0 23 * * 6      2026-10-24T23:00-02:00
Africa/Cairo 2025-2026
    2025-04-25T01:00+03:00
        30 0 * * *      2025-04-25T01:30+03:00
    2025-10-30T23:00+02:00
        30 23 * * *     2025-10-30T23:30+02:00
    2026-04-24T01:00+03:00
        30 * * * *      2026-04-23T22:30+02:00 2026-04-23T23:30+02:00 2026-04-24T01:30+03:00 2026-04-24T02:30+03:00
    2026-10-29T23:00+02:00
        45 23 * * 4     2026-10-29T23:45+02:00
Africa/Casablanca 2025-2026
    2025-02-23T02:00+00:00
        30 2 * * *      2025-02-23T02:30+00:00
    2025-04-06T03:00+01:00
        30 2 * * *      2025-04-06T03:00+01:00
    2026-02-15T02:00+00:00
        0 2 * * *       2026-02-15T02:00+00:00
    2026-03-22T03:00+01:00
        30 2 * * 0      2026-03-22T03:00+01:00
Antarctica/Troll 2025-2026
    2025-03-30T03:00+02:00
        30 1 * * *      2025-03-30T03:00+02:00
        30 1,2 * * *    2025-03-30T03:00+02:00
    2025-10-26T01:00+00:00
        30 1,2 * * *    2025-10-26T01:30+00:00 2025-10-26T02:30+00:00
    2026-03-29T03:00+02:00
        30 * * * *      2026-03-28T23:30+00:00 2026-03-29T00:30+00:00 2026-03-29T03:30+02:00 2026-03-29T04:30+02:00
    2026-10-25T01:00+00:00
        30 * * * *      2026-10-25T01:30+02:00 2026-10-25T02:30+02:00 2026-10-25T01:30+00:00 2026-10-25T02:30+00:00
Australia/Adelaide 2025-2026
    2025-04-06T02:00+09:30
        30 2 * * *      2025-04-06T02:30+09:30
    2025-10-05T03:00+10:30
        30 2 * * *      2025-10-05T03:00+10:30
    2026-04-05T02:00+09:30
        0 * * * *       2026-04-05T01:00+10:30 2026-04-05T02:00+10:30 2026-04-05T02:00+09:30 2026-04-05T03:00+09:30
    2026-10-04T03:00+10:30
        0 * * * *       2026-10-04T00:00+09:30 2026-10-04T01:00+09:30 2026-10-04T03:00+10:30 2026-10-04T04:00+10:30
Australia/Lord_Howe 2025-2026
    2025-04-06T01:30+10:30
        45 1 * * *      2025-04-06T01:45+10:30
        15 1 * * *      2025-04-06T01:15+11:00
        0 * * * *       2025-04-06T00:00+11:00 2025-04-06T01:00+11:00 2025-04-06T02:00+10:30 2025-04-06T03:00+10:30
        30 * * * *      2025-04-06T00:30+11:00 2025-04-06T01:30+11:00 2025-04-06T01:30+10:30 2025-04-06T02:30+10:30
    2025-10-05T02:30+11:00
        15 2 * * *      2025-10-05T02:30+11:00
        45 2 * * *      2025-10-05T02:45+11:00
        0 * * * *       2025-10-05T00:00+10:30 2025-10-05T01:00+10:30 2025-10-05T03:00+11:00 2025-10-05T04:00+11:00
        30 * * * *      2025-10-05T00:30+10:30 2025-10-05T01:30+10:30 2025-10-05T02:30+11:00 2025-10-05T03:30+11:00
    2026-04-05T01:30+10:30
        30 1 * * 0      2026-04-05T01:30+10:30
    2026-10-04T02:30+11:00
        0 2 * * 0       2026-10-04T02:30+11:00
Pacific/Chatham 2025-2026
    2025-04-06T02:45+12:45
        0 3 * * *       2025-04-06T03:00+12:45
    2025-09-28T03:45+13:45
        0 3 * * *       2025-09-28T03:45+13:45
        */15 3 * * *    2025-09-28T03:45+13:45
    2026-04-05T02:45+12:45
        30 2 * * *      2026-04-05T02:30+13:45
    2026-09-27T03:45+13:45
        45 2 * * *      2026-09-27T03:45+13:45
Asia/Amman 2022-2023
    2022-02-25T01:00+03:00
        30 0 * * *      2022-02-25T01:30+03:00
America/Mexico_City 2022-2023
    2022-04-03T03:00-05:00
        30 2 * * *      2022-04-03T03:00-05:00
    2022-10-30T01:00-06:00
        30 1 * * *      2022-10-30T01:30-06:00
America/Asuncion 2024-2025
    2024-03-23T23:00-04:00
        30 23 * * *     2024-03-23T23:30-04:00
    2024-10-06T01:00-03:00
        30 0 * * *      2024-10-06T01:30-03:00
Asia/Kolkata 2025-2026
Etc/UTC 2025-2026
"""


def read_edges():
    zone = years = change = None
    for line in EDGES.strip().splitlines():
        depth = len(line) - len(line.lstrip())
        if depth == 0:
            zone, years = line.split()
            yield zone, years, None, "", ()
        elif depth == 4:
            change = line.strip()
        else:
            expression, instants = line[8:24].strip(), line[24:].split()
            yield zone, years, change, expression, tuple(instants)


ROWS = [row for row in read_edges() if row[2]]
ZONES = {zone: years for zone, years, *_ in read_edges()}


@pytest.mark.parametrize(("zone", "years", "change", "expression", "instants"), ROWS)
def test_around_a_change_of_the_clocks_these_instants_fire(
    zone, years, change, expression, instants
):
    at = datetime.fromisoformat(change)
    trigger = CronTrigger(expressions=(expression,), timezone=zone)
    fired = ticks(trigger, start=at - TWO_HOURS, end=at + TWO_HOURS)
    assert tuple(tick.isoformat(timespec="minutes") for tick in fired) == instants


@pytest.mark.parametrize(("zone", "years"), ZONES.items())
def test_every_change_of_these_zones_is_in_the_table(zone, years):
    """Minute by minute where an hour differs from the next."""
    first, last = years.split("-")
    hours = [
        datetime(int(first), 1, 1, tzinfo=UTC) + timedelta(hours=hour)
        for hour in range((int(last) - int(first) + 1) * 365 * 24)
    ]
    place = ZoneInfo(zone)
    offsets = [hour.astimezone(place).utcoffset() for hour in hours]
    changes = []
    for hour, (before, after) in zip(hours, pairwise(offsets), strict=False):
        if before != after:
            minutes = (hour + timedelta(minutes=minute) for minute in range(61))
            local = (minute.astimezone(place) for minute in minutes)
            changes.append(next(at for at in local if at.utcoffset() == after))
    listed = dict.fromkeys(change for name, _, change, *_ in ROWS if name == zone)
    assert [at.isoformat(timespec="minutes") for at in changes] == list(listed)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def make_schedule(trigger, **more) -> Schedule:
    location = Location(file="runner.yaml")
    return Schedule(name="x", job_id="acme/x", trigger=trigger, location=location, **more)


def test_the_start_is_inclusive_and_the_end_exclusive():
    hourly = CronTrigger(expressions=("0 * * * *",))
    found = list(ticks(hourly, start=day("2026-01-01T10:00"), end=day("2026-01-01T12:00")))
    assert found == [day("2026-01-01T10:00"), day("2026-01-01T11:00")]
    late = day("2026-01-01T10:00") + timedelta(microseconds=1)
    assert next(ticks(hourly, start=late, end=late + TWO_HOURS)) == day("2026-01-01T11:00")


def test_ticks_are_told_in_the_zone_of_the_trigger_and_those_of_intervals_in_utc():
    berlin = CronTrigger(expressions=("0 2 * * *",), timezone="Europe/Berlin")
    cron = next(ticks(berlin, start=MONTH[0], end=MONTH[1]))
    grid = next(
        ticks(
            IntervalTrigger(interval=timedelta(days=1)), start=MONTH[0].astimezone(), end=MONTH[1]
        )
    )
    assert (str(cron), str(grid)) == ("2026-03-01 02:00:00+01:00", "2026-03-01 00:00:00+00:00")


def test_several_expressions_are_one_row_of_ticks_without_doubles():
    trigger = CronTrigger(expressions=("0 */2 * * *", "0 */3 * * *"))
    hours = [tick.hour for tick in ticks(trigger, start=MONTH[0], end=MONTH[0] + 5 * TWO_HOURS)]
    assert hours == [0, 2, 3, 4, 6, 8, 9]


def test_a_zone_may_also_be_known_by_an_old_name():
    trigger = CronTrigger(expressions=("30 2 * * *",), timezone="US/Eastern")
    start = day("2026-03-08T00:00")
    fired = [
        tick.isoformat() for tick in ticks(trigger, start=start, end=start + timedelta(days=1))
    ]
    assert fired == ["2026-03-08T03:00:00-04:00"]


@pytest.mark.parametrize("offset", [timedelta(0), timedelta(seconds=7), timedelta(minutes=10)])
@pytest.mark.parametrize("seconds", [45, 90, 2700, 5400, 25200, 100000])
def test_an_interval_keeps_its_grid_for_a_month_whenever_it_is_asked(seconds, offset):
    interval = timedelta(seconds=seconds)
    trigger = IntervalTrigger(interval=interval, offset=offset % interval)
    start, end = MONTH
    grid = list(ticks(trigger, start=start, end=end))
    assert {after - before for before, after in pairwise(grid)} == {interval}
    phase = (offset % interval).total_seconds()
    assert {tick.timestamp() % seconds for tick in grid} == {phase}
    assert start <= grid[0] < start + interval
    assert end - interval <= grid[-1] < end
    schedule = make_schedule(trigger)
    for number in range(0, len(grid) - 1, max(len(grid) // 50, 1)):
        moment = grid[number] + interval / 3
        assert next_ticks(schedule, after=moment, count=1) == (grid[number + 1],)


@pytest.mark.parametrize("offset", [timedelta(0), timedelta(minutes=1), timedelta(minutes=43)])
@pytest.mark.parametrize("minutes", [1, 2, 15, 20, 45, 60, 90, 96, 240, 720, 1440])
def test_where_there_is_a_union_of_crons_it_fires_the_grid(minutes, offset):
    interval = timedelta(minutes=minutes)
    offset %= interval
    union = CronTrigger(expressions=cron_union(interval, offset))
    start, end = MONTH
    grid = ticks(IntervalTrigger(interval=interval, offset=offset), start=start, end=end)
    assert list(ticks(union, start=start, end=end)) == list(grid)


DAILY = CronTrigger(expressions=("0 12 * * *",))


def test_a_schedule_fires_within_its_window():
    schedule = make_schedule(DAILY, start=day("2026-03-02T12:00"), end=day("2026-03-04T12:00"))
    fired = schedule_ticks(schedule, start=MONTH[0], end=MONTH[1])
    assert [str(tick.date()) for tick in fired] == ["2026-03-02", "2026-03-03"]
    narrow = schedule_ticks(schedule, start=day("2026-03-03T00:00"), end=day("2026-03-03T23:00"))
    assert [str(tick.date()) for tick in narrow] == ["2026-03-03"]


def test_the_next_ticks_come_after_the_moment_and_end_with_the_schedule():
    schedule = make_schedule(DAILY, end=day("2026-03-04T00:00"))
    noon = day("2026-03-01T12:00")
    found = next_ticks(schedule, after=noon, count=5)
    assert [str(tick.date()) for tick in found] == ["2026-03-02", "2026-03-03"]
    assert next_ticks(schedule, after=noon, count=1) == (day("2026-03-02T12:00"),)
    assert next_ticks(schedule, after=day("2027-01-01T00:00"), count=1) == ()


@pytest.mark.parametrize("trigger", [DAILY, IntervalTrigger(interval=timedelta(days=999))])
def test_a_window_at_the_end_of_all_time_has_no_next_ticks(trigger):
    schedule = make_schedule(trigger, start=datetime.max.replace(tzinfo=UTC))
    assert next_ticks(schedule, after=MONTH[0], count=1) == ()


def test_the_next_leap_day_is_found_over_the_years():
    schedule = make_schedule(CronTrigger(expressions=("0 0 29 2 *",)))
    found = next_ticks(schedule, after=day("2095-01-01T00:00"), count=2)
    assert [str(tick.date()) for tick in found] == ["2096-02-29", "2104-02-29"]


def test_triggers_that_wait_for_something_have_no_ticks():
    for trigger in (AfterCompletionTrigger(delay=TWO_HOURS), OnceTrigger(generation="1")):
        schedule = make_schedule(trigger)
        assert not is_timed(trigger)
        assert next_ticks(schedule, after=MONTH[0], count=3) == ()
        assert list(schedule_ticks(schedule, start=MONTH[0], end=MONTH[1])) == []
    assert is_timed(DAILY)


YEAR = (day("2026-01-01T00:00"), day("2027-01-01T00:00"))


@pytest.mark.parametrize(
    ("expressions", "zone", "notes"),
    [
        (
            ("30 2 * * *",),
            "Europe/Berlin",
            [
                (
                    "2026-03-29T03:00+02:00",
                    "2026-03-29 02:30 does not exist in Europe/Berlin: fires at 03:00",
                ),
                (
                    "2026-10-25T02:30+01:00",
                    "2026-10-25 02:30 occurs twice in Europe/Berlin: fires at the second",
                ),
            ],
        ),
        (
            ("*/30 2 * * *",),
            "Europe/Berlin",
            [
                (
                    "2026-03-29T03:00+02:00",
                    "2026-03-29 02:00, 02:30 do not exist in Europe/Berlin: fires once, at 03:00",
                ),
                (
                    "2026-10-25T02:00+01:00",
                    "2026-10-25 02:00, 02:30 occur twice in Europe/Berlin: fires at the second",
                ),
            ],
        ),
        (
            ("0 * * * *",),
            "Australia/Lord_Howe",
            [
                (
                    "2026-10-04T02:30+11:00",
                    (
                        "2026-10-04 02:00 to 02:30 does not exist in Australia/Lord_Howe:"
                        " where every hour fires, ticks follow elapsed time"
                    ),
                ),
            ],
        ),
        (
            ("30 0 * * *", "0 0 * * *"),
            "America/Santiago",
            [
                (
                    "2026-09-06T01:00-03:00",
                    "2026-09-06 00:00 does not exist in America/Santiago: fires at 01:00",
                ),
                (
                    "2026-09-06T01:30-03:00",
                    "2026-09-06 00:30 does not exist in America/Santiago: fires at 01:30",
                ),
            ],
        ),
        (("30 4 * * *",), "Europe/Berlin", []),
        (("30 2 * * 1-5",), "Europe/Berlin", []),
        (("30 2 * * *",), "Asia/Kolkata", []),
    ],
)
def test_a_note_tells_each_tick_that_a_change_of_the_clocks_moves(expressions, zone, notes):
    trigger = CronTrigger(expressions=expressions, timezone=zone)
    found = dst_notes(trigger, start=YEAR[0], end=YEAR[1])
    told = [(note.instant.isoformat(timespec="minutes"), note.text) for note in found]
    assert told == notes


def test_only_notes_of_the_span_are_told_and_none_of_intervals():
    trigger = CronTrigger(expressions=("30 2 * * *",), timezone="Europe/Berlin")
    at = datetime.fromisoformat("2026-03-29T03:00+02:00")
    text = "2026-03-29 02:30 does not exist in Europe/Berlin: fires at 03:00"
    assert dst_notes(trigger, start=at, end=at + TWO_HOURS) == (DstNote(instant=at, text=text),)
    assert dst_notes(trigger, start=at - TWO_HOURS, end=at) == ()
    interval = IntervalTrigger(interval=TWO_HOURS)
    assert dst_notes(interval, start=YEAR[0], end=YEAR[1]) == ()
