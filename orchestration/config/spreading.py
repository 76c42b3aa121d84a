"""Moves the ticks of a schedule by the offset that its spread gives it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from cronsim import CronSim

from orchestration.config import workspace_rules
from orchestration.config.words import show
from orchestration.domain.cron import CronError, shift_cron
from orchestration.domain.durations import format_duration
from orchestration.domain.schedule import CronTrigger, IntervalTrigger
from orchestration.domain.spread import choose_offset

if TYPE_CHECKING:
    from orchestration.config.document import Document, Place
    from orchestration.domain.schedule import TimeTrigger

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


def spread_trigger(
    document: Document, place: Place, name: str, trigger: TimeTrigger, spread: timedelta
) -> tuple[TimeTrigger, timedelta]:
    """The trigger of the schedule `name`, moved, and by how much; `place` is that of `spread`.

    What is wrong is reported, and then the trigger comes back as it was.
    """
    period = _period(trigger)
    if spread % _MINUTE:
        _refuse(
            document, place, spread, "it is not a whole number of minutes", "write it like `10m`"
        )
    elif spread > period:
        reason = f"the schedule `{show(name)}` fires every {format_duration(period)}"
        _refuse(document, place, spread, reason, "spread it over no more than that")
    else:
        offset = choose_offset(name, spread)
        try:
            return _move(trigger, offset, widest=spread - _MINUTE), offset
        except CronError as error:
            _refuse(document, place, spread, error.reason, error.help)
    return trigger, timedelta(0)


def _refuse(document: Document, place: Place, spread: timedelta, reason: str, cure: str) -> None:
    document.report(
        workspace_rules.BAD_SPREAD, place, spread=format_duration(spread), reason=reason, cure=cure
    )


def _move(trigger: TimeTrigger, offset: timedelta, *, widest: timedelta) -> TimeTrigger:
    """The trigger, moved by `offset`. Whether that can be does not hang on the offset that the name
    happens to give: no offset up to `widest` may be impossible.
    """
    if isinstance(trigger, IntervalTrigger):
        return replace(trigger, offset=offset)
    for expression in trigger.expressions:
        shift_cron(expression, widest // _MINUTE)
    moved = [part for text in trigger.expressions for part in shift_cron(text, offset // _MINUTE)]
    return replace(trigger, expressions=tuple(dict.fromkeys(moved)))


def _period(trigger: TimeTrigger) -> timedelta:
    if isinstance(trigger, CronTrigger):
        return min(_shortest_gap(*text.split(" ")[:2]) for text in trigger.expressions)
    return trigger.interval


@lru_cache(maxsize=1024)
def _shortest_gap(minute: str, hour: str) -> timedelta:
    """The shortest time between two ticks of these fields, on days of 24 hours."""
    ticks = CronSim(f"{minute} {hour} * * *", _MIDNIGHT)
    days = takewhile(lambda tick: tick <= _MIDNIGHT + 2 * _DAY, ticks)
    return min(after - before for before, after in pairwise(days))
