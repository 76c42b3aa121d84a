"""Sixty triggers in seventeen zones over two years each, against an oracle of its own.

The oracle follows the documented rule (docs/explanation/triggers.md) by trying: it reads the fields
itself, walks over the days of the wall clock, and asks the zone which instants show a time.
"""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from orchestration.domain.cron import normalise_cron
from orchestration.domain.schedule import CronTrigger, IntervalTrigger
from orchestration.domain.ticks import ticks

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
YEARS = {
    "UTC": 2025,
    "Europe/Berlin": 2025,
    "Europe/Dublin": 2025,  # its winter is what is special, not its summer
    "America/New_York": 2025,
    "America/St_Johns": 2025,  # half an hour off, with summer time
    "America/Santiago": 2025,  # the clocks change at midnight
    "America/Nuuk": 2025,  # the clocks change at 23:00 and at midnight
    "Africa/Cairo": 2025,
    "Africa/Casablanca": 2025,  # the clocks change for Ramadan
    "Antarctica/Troll": 2025,  # the clocks change by two hours
    "Asia/Kolkata": 2025,  # half an hour off, without summer time
    "Australia/Adelaide": 2025,
    "Australia/Lord_Howe": 2025,  # the clocks change by half an hour
    "Pacific/Chatham": 2025,  # the clocks change at a quarter to
    "Asia/Amman": 2022,  # kept its summer time in October 2022
    "America/Mexico_City": 2022,  # gave up summer time in October 2022
    "America/Asuncion": 2024,  # kept its summer time in October 2024
}
MOVED_BY_THE_GAP = {
    "America/Santiago": timedelta(hours=1),
    "America/Nuuk": timedelta(hours=1),
    "Africa/Cairo": timedelta(hours=1),
    "Asia/Amman": timedelta(hours=1),
    "America/Asuncion": timedelta(hours=1),
}
"""The documented exception: the gaps of these zones do not begin between 01:00 and 03:59."""

CRONS = """
    0 * * * * ; 30 * * * * ; 15,45 */1 * * * ; 20 0-23 * * 1-5 ; */30 * * * 0 ; */15 * 25-31 * *
    0 0 * * * ; 30 0 * * * ; 59 0 * * * ; 0 1 * * * ; 30 1 * * * ; 45 1 * * * ; 0 2 * * *
    15 2 * * * ; 30 2 * * * ; 45 2 * * * ; 0 3 * * * ; 30 3 * * * ; 59 3 * * * ; 0 4 * * *
    0 12 * * * ; 0 22 * * * ; 30 22 * * * ; 0 23 * * * ; 30 23 * * * ; 59 23 * * *
    0,30 0 * * * ; */10 2 * * * ; */20 23 * * * ; 30 0,12 * * * ; 30 1,2 * * * ; 15 0-4 * * *
    0 */2 * * * ; 30 */2 * * * ; 0 */6 * * * ; 30 */5 * * * ; */15 1-3 * * * ; 0 9-17 * * *
    30 2 * * 0 ; 30 0 * * sun ; 30 23 * * SAT ; 30 2 * * 1-5 ; 15 1 * * 0,6 ; 0 3 * * 7
    30 2 1 * * ; 30 2 29 * * ; 30 1 31 * * ; 0 0 1 1 * ; 30 2 * 3 * ; 45 2 * mar,oct 0
    30 2 13 * 5 ; 0 0 1-7 * * ; 30 1 25-31 3,10 * ; 0 5 */2 * * ; 0 0 29 2 *
    0 2 * * * | 30 2 * * * | 0 * * * * ; 30 0 * * * | 30 23 * * *
"""
INTERVALS = [2700, 5400, 25200, 100000]
TRIGGERS = [
    tuple(text.strip() for text in trigger.split("|"))
    for line in CRONS.strip().splitlines()
    for trigger in line.split(";")
]
_NAMES = {
    name: number
    for names in ("jan feb mar apr may jun jul aug sep oct nov dec", "sun mon tue wed thu fri sat")
    for number, name in enumerate(names.split(), start=names.startswith("jan"))
}


@cache
def numbers(field: str, low: int, high: int) -> set[int]:
    result: set[int] = set()
    for part in field.lower().split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if first == "*":
            first, last = str(low), str(high)
        begin = int(_NAMES.get(first, first))
        end = int(_NAMES.get(last, last)) if last else begin
        result.update(range(begin, end + 1, int(step or 1)))
    return result


@cache
def times_of_day(minute: str, hour: str) -> tuple[timedelta, ...]:
    return tuple(
        timedelta(hours=h, minutes=m)
        for h in sorted(numbers(hour, 0, 23))
        for m in sorted(numbers(minute, 0, 59))
    )


def is_on(day: date, day_of_month: str, month: str, weekday: str) -> bool:
    if day.month not in numbers(month, 1, 12):
        return False
    by_number = day.day in numbers(day_of_month, 1, 31)
    by_weekday = day.isoweekday() % 7 in {number % 7 for number in numbers(weekday, 0, 7)}
    either = "*" not in (day_of_month[0], weekday[0])
    return by_number or by_weekday if either else by_number and by_weekday


class Clock:
    """The wall clock of a zone over two years and some days around them."""

    def __init__(self, name: str) -> None:
        self.zone = ZoneInfo(name)
        self.moved_by_the_gap = MOVED_BY_THE_GAP.get(name)
        self.start = datetime(YEARS[name], 1, 1, tzinfo=UTC)
        self.end = datetime(YEARS[name] + 2, 1, 1, tzinfo=UTC)
        self.days = [
            self.start.date() + DAY * number
            for number in range(-2, (self.end - self.start).days + 2)
        ]
        self.offsets = {day: self.offsets_around(day) for day in self.days}

    def offsets_around(self, day: date) -> set[timedelta]:
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        return {self.offset(noon + timedelta(hours=hours)) for hours in range(-36, 37, 12)}

    def offset(self, instant: datetime) -> timedelta:
        return instant.astimezone(self.zone).utcoffset()

    def shows(self, instant: datetime) -> datetime:
        return instant.astimezone(self.zone).replace(tzinfo=None)

    def instants(self, wall: datetime) -> list[datetime]:
        """When the clock shows that time: once mostly, twice, or never."""
        offsets = self.offsets[wall.date()]
        candidates = [wall.replace(tzinfo=UTC) - offset for offset in offsets]
        if len(offsets) == 1:
            return candidates
        return sorted(instant for instant in candidates if self.shows(instant) == wall)

    def first_after(self, wall: datetime) -> datetime:
        """The first minute at which the clock shows more than the time, which it never shows."""
        instant = wall.replace(tzinfo=UTC) - max(self.offsets[wall.date()])
        while self.shows(instant) < wall:
            instant += MINUTE
        return instant

    def fires(self, wall: datetime, *, hourly: bool) -> list[datetime]:
        instants = self.instants(wall)
        if hourly:
            return instants
        if instants:
            return [instants[-1]]
        if self.moved_by_the_gap:
            return self.instants(wall + self.moved_by_the_gap)
        return [self.first_after(wall)]

    def expect(self, expression: str) -> set[datetime]:
        minute, hour, *on = expression.split(" ")
        hourly = numbers(hour, 0, 23) == set(range(24))
        times = times_of_day(minute, hour)
        return {
            instant
            for day in self.days
            if is_on(day, *on)
            for time in times
            for instant in self.fires(datetime(day.year, day.month, day.day) + time, hourly=hourly)  # noqa: DTZ001 - a wall-clock time
        }


@pytest.mark.parametrize("name", YEARS)
def test_the_ticks_of_two_years_are_those_of_the_rule(name):
    clock = Clock(name)
    wrong = {}
    for expressions in TRIGGERS:
        trigger = CronTrigger(
            expressions=tuple(normalise_cron(text) for text in expressions), timezone=name
        )
        told = list(ticks(trigger, start=clock.start, end=clock.end))
        expected = set[datetime]().union(*(clock.expect(text) for text in trigger.expressions))
        due = sorted(instant for instant in expected if clock.start <= instant < clock.end)
        if [tick.astimezone(UTC) for tick in told] != due:
            odd = sorted(set(due) ^ {tick.astimezone(UTC) for tick in told})
            wrong[expressions] = [instant.astimezone(clock.zone).isoformat() for instant in odd]
    assert wrong == {}


@pytest.mark.parametrize("seconds", INTERVALS)
def test_the_ticks_of_an_interval_are_the_seconds_of_the_epoch_that_it_divides(seconds):
    start, end = datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    told = ticks(IntervalTrigger(interval=timedelta(seconds=seconds)), start=start, end=end)
    span = range(int(start.timestamp()), int(end.timestamp()))
    due = [second for second in span[-span.start % seconds :: seconds] if second % seconds == 0]
    assert [tick.timestamp() for tick in told] == due


def test_the_table_is_as_wide_as_it_says():
    assert (len(YEARS), len(TRIGGERS) + len(INTERVALS)) == (17, 61)
