"""The pictures of ticks in docs/explanation/triggers.md are drawn again, from the code.

The fence of a picture says what it shows: `cron` (several with ` | `) or `interval_seconds`, the
`timezone`, the instant `from` which and the `step` of time that one character stands for; further
`start` and `end` of a window, and the `spread` of the schedules that its lines are named after.
A line of the picture is a name and a time line on which `●` is a tick. Above stand times of the wall
clock, each over the instant at which it is that late.
"""

import re
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from orchestration.domain.cron import shift_cron
from orchestration.domain.durations import parse_duration
from orchestration.domain.problem import Location
from orchestration.domain.schedule import CronTrigger, IntervalTrigger, Schedule
from orchestration.domain.spread import choose_offset
from orchestration.domain.ticks import schedule_ticks

PAGE = Path(__file__).parents[2] / "docs/explanation/triggers.md"
_PICTURE = re.compile(r"^```text( .+?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
_LINE = re.compile(r"^(?P<name>\w*) *(?P<line>[─●]+)$", re.MULTILINE)
PICTURES = [
    (dict(_ATTRIBUTE.findall(match[1])), match[2]) for match in _PICTURE.finditer(PAGE.read_text())
]


def read_trigger(said: dict[str, str], name: str) -> CronTrigger | IntervalTrigger:
    if seconds := said.get("interval_seconds"):
        return IntervalTrigger(interval=timedelta(seconds=int(seconds)))
    expressions = tuple(said["cron"].split(" | "))
    if spread := said.get("spread"):
        minutes = choose_offset(name, parse_duration(spread)) // timedelta(minutes=1)
        expressions = tuple(
            part for expression in expressions for part in shift_cron(expression, minutes)
        )
    return CronTrigger(expressions=expressions, timezone=said.get("timezone", "UTC"))


def read_instant(said: dict[str, str], key: str) -> datetime | None:
    return datetime.fromisoformat(said[key]) if key in said else None


def draw(said: dict[str, str], name: str, width: int) -> str:
    start, step = datetime.fromisoformat(said["from"]), parse_duration(said["step"])
    schedule = Schedule(
        name=name,
        job_id="acme/x",
        trigger=read_trigger(said, name),
        start=read_instant(said, "start"),
        end=read_instant(said, "end"),
        location=Location(file="runner.yaml"),
    )
    line = ["─"] * width
    for tick in schedule_ticks(schedule, start=start, end=start + width * step):
        place, rest = divmod(tick - start, step)
        assert not rest, f"{tick} lies between two characters"
        line[place] = "●"
    return "".join(line)


@pytest.mark.parametrize(("said", "picture"), PICTURES)
def test_a_picture_shows_the_ticks_and_the_wall_clock(said, picture):
    lines = list(_LINE.finditer(picture))
    assert lines
    for line in lines:
        assert line["line"] == draw(said, line["name"], len(line["line"]))
    zone = ZoneInfo(said.get("timezone", "UTC"))
    start, step = datetime.fromisoformat(said["from"]), parse_duration(said["step"])
    margin = lines[0].start("line") - lines[0].start()
    labels = picture[: lines[0].start()].splitlines()
    for label in (label for row in labels for label in re.finditer(r"\d\d:\d\d", row)):
        instant = (start + (label.start() - margin) * step).astimezone(zone)
        assert f"{instant:%H:%M}" == label[0]


def test_there_is_a_picture_of_each_trigger_that_is_a_function_of_time():
    assert len(PICTURES) >= 10
    assert {key for said, _ in PICTURES for key in said} >= {"cron", "interval_seconds", "spread"}
