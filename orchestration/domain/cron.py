"""Cron expressions: five fields, checked so that what is accepted is what fires."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = (("minute", 60), ("hour", 24), ("day of month", 31), ("month", 12), ("day of week", 7))
_STANDARD = re.compile(r"[0-9A-Za-z*,/-]+")
_NAMES = frozenset(
    [
        "jan",
        "feb",
        "mar",
        "apr",
        "may",
        "jun",
        "jul",
        "aug",
        "sep",
        "oct",
        "nov",
        "dec",
        "sun",
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
    ]
)
_DAY_MINUTES = 24 * 60
_REFERENCE = datetime(2026, 1, 1, tzinfo=UTC)


class CronError(ValueError):
    """A cron expression that is refused; `help` says what to write instead."""

    def __init__(self, reason: str, *, help: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.help = help


@dataclass(frozen=True, slots=True, kw_only=True)
class UnevenStep:
    """A step that does not divide its field, as in `*/45`: the last gap is shorter."""

    field: str
    step: int
    size: int


def normalise_cron(expression: str) -> str:
    """The expression with aliases (`@daily`) written out and single spaces between five fields.

    Raises:
        CronError: not five standard fields, a step beyond its field (`*/90`), a value out of
            range, or a date that does not exist (`0 0 31 2 *`).
    """
    text = " ".join(expression.split())
    if text.startswith("@"):
        return _expand_alias(text)
    fields = text.split(" ")
    if len(fields) != len(_FIELDS):
        raise CronError(
            f"a cron expression has five fields, `{text}` has {len(fields) if text else 0}",
            help="write minute, hour, day of month, month and day of week: `0 2 * * *`",
        )
    for part, (name, size) in zip(fields, _FIELDS, strict=True):
        _check_field(part, name, size)
    _check_days(fields[2], fields[4])
    _check_fires(text)
    _check_fires(" ".join([*fields[:4], "*"]))  # Dagster fails on a date that is never met
    return text


def uneven_steps(expression: str) -> tuple[UnevenStep, ...]:
    """The `*/N` of minute and hour that do not divide their field, and so are not "every N"."""
    return tuple(
        UnevenStep(field=name, step=int(step), size=size)
        for part, (name, size) in zip(expression.split(" "), _FIELDS[:2], strict=False)
        for step in re.findall(r"\*/(\d+)", part)
        if size % int(step)
    )


def fires_every_hour(expression: str) -> bool:
    """Whether a normalised expression leaves the hour open: `*`, `*/1` or `0-23`."""
    return len(_times(expression)[1]) == 24


def shift_cron(expression: str, minutes: int) -> tuple[str, ...]:
    """The expressions that fire `minutes` (0 to 1439) later on the wall clock than `expression`.

    There are several where a part passes the hour and another does not.

    >>> shift_cron("0,30 2 * * *", 45)
    ('15 3 * * *', '45 2 * * *')

    Raises:
        CronError: a time would pass midnight, and the expression is for certain days only.
    """
    if minutes == 0:
        return (expression,)
    minute_field, hour_field = _times(expression)
    days = " ".join(expression.split(" ")[2:])
    moved = [hour * 60 + minute + minutes for hour in hour_field for minute in minute_field]
    if days != "* * *" and max(moved) >= _DAY_MINUTES:
        raise CronError(
            f"`{expression}` moved by {minutes} minutes passes midnight, into another day",
            help="choose an earlier time or a smaller `spread`",
        )
    return join_times((time % _DAY_MINUTES for time in moved), days)


def join_times(times: Iterable[int], days: str) -> tuple[str, ...]:
    """The expressions that fire at `times`, in minutes of the day, on the days that the last three
    fields `days` say: as few as there are different sets of hours.
    """
    hours_by_minute: dict[int, list[int]] = {}
    for time in sorted(times):
        hours_by_minute.setdefault(time % 60, []).append(time // 60)
    minutes_by_hours: dict[str, list[int]] = {}
    for minute, hours in sorted(hours_by_minute.items()):
        text = "*" if len(hours) == 24 else ",".join(map(str, hours))
        minutes_by_hours.setdefault(text, []).append(minute)
    return tuple(
        f"{','.join(map(str, minutes))} {hours} {days}"
        for hours, minutes in minutes_by_hours.items()
    )


def _times(expression: str) -> tuple[set[int], set[int]]:
    """The minutes and the hours of a normalised expression."""
    matcher = CronSim(expression, _REFERENCE)
    return matcher.minutes, matcher.hours


def _expand_alias(text: str) -> str:
    if text.lower() not in ALIASES:
        raise CronError(
            f"`{text}` is not a cron alias", help=f"use one of {', '.join(sorted(ALIASES))}"
        )
    return ALIASES[text.lower()]


def _check_field(part: str, name: str, size: int) -> None:
    words = {word.lower() for word in re.findall(r"[A-Za-z]+", part)}
    if not _STANDARD.fullmatch(part) or words - _NAMES:
        raise CronError(
            f"`{part}` in the {name} field is not standard cron",
            help="use numbers, names, `*`, lists `1,2`, ranges `1-5` and steps `*/15`",
        )
    for first, last in re.findall(r"(\w+)-(\w+)", part):
        if first.lower() == last.lower():
            raise CronError(
                f"the range `{first}-{last}` in the {name} field is one value",
                help=f"write `{first}`; Dagster would read the range as `*`",
            )
    for step in re.findall(r"/(\d+)", part):
        if int(step) >= size > 1:
            raise CronError(
                f"the step `/{step}` is beyond the {name} field, which has {size} values",
                help="for a fixed distance between runs use `interval_seconds` in place of `cron`",
            )


def _check_days(day: str, weekday: str) -> None:
    """Two restricted day fields mean "either"; of a step from `*` programs do not agree on it."""
    for stepped, other in ((day, weekday), (weekday, day)):
        if stepped.startswith("*/") and other != "*":
            raise CronError(
                f"`{stepped}` in one day field beside `{other}` in the other is read in two ways",
                help="write the days of the step as a list, or use two expressions",
            )


def _check_fires(text: str) -> None:
    fault = _find_fault(text)
    if fault is None:
        return
    minute, hour, day, month, weekday = text.split(" ")
    parts = (f"{minute} {hour} {day} * {weekday}", f"0 0 1 {month} *")
    if all(_find_fault(part) is None for part in parts):
        raise CronError(
            f"`{text}` never fires: the date does not exist",
            help="choose a day that the month has; for the last day use the 28th",
        )
    raise CronError(
        f"`{text}` is not a valid cron expression ({fault})",
        help="check that each value is within its field, as in `30 2 * * 1-5`",
    )


def _find_fault(text: str) -> str | None:
    """Why no tick can be computed: `bad hour`; the same for values and for impossible dates."""
    try:
        CronSim(text, _REFERENCE)
    except CronSimError as error:
        return str(error).lower()
    return None
