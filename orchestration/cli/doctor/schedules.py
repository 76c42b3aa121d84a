"""Checks of schedules: do they run as the files say, and did they when they should have."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from orchestration.cli.doctor.finding import Finding, fail, fine, warn
from orchestration.cli.holds import explain_unprobed
from orchestration.cli.output import count
from orchestration.domain.describe import is_sensor
from orchestration.domain.schedule import Overlap
from orchestration.domain.ticks import is_timed, schedule_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.cli.doctor.observed import Live, LiveSchedule, Observed
    from orchestration.domain.schedule import Schedule

PATIENCE: Final = timedelta(minutes=10)
"""How long after its tick a run may be late without anybody being told."""
_LOOK_BACK: Final = tuple(timedelta(hours=hours) for hours in (1, 24, 32 * 24, 400 * 24))
_EVER: Final = datetime.min.replace(tzinfo=UTC)
_MOMENT: Final = timedelta(microseconds=1)
_RELOAD: Final = "run `orchestrate reload`; it says what is in the way"


def check_schedules(seen: Observed, live: Live) -> Iterator[Finding]:
    """What the file says to run is switched on, and nothing else is."""
    if live.location_error:
        return  # nothing is loaded, which another check tells
    declared = {schedule.name: schedule for schedule in seen.workspace.schedules}
    findings = [
        finding
        for name, schedule in declared.items()
        if (finding := _judge_switch(schedule, live.schedules.get(name)))
    ]
    findings += [
        fail(f"`{name}` runs, and runner.yaml does not have it", help=_RELOAD)
        for name, found in live.schedules.items()
        if name not in declared and found.is_on
    ]
    enabled = sum(schedule.enabled for schedule in declared.values())
    yield from findings
    if not findings:
        yield fine(f"{count(len(declared), 'schedule')}, of which {enabled:,} enabled and running")


def check_ticks(seen: Observed, live: Live) -> Iterator[Finding]:
    """Every schedule of the clock that was due has been looked at by Dagster, without an error."""
    if live.location_error:
        return
    late = False
    for schedule, tick in due_ticks(seen, live):
        found = live.schedules[schedule.name]
        last = found.tick
        if last and last.status == "FAILURE":
            late = True
            yield fail(
                f"the last tick of `{schedule.name}`, at {_text(last.at)}, failed: {last.error}",
                help=f"see {seen.home.logs}/daemon.log",
            )
        elif not has_answered(schedule, found, tick) and schedule.name not in live.launched:
            late = True
            yield fail(
                f"`{schedule.name}` was due at {_text(tick)}, and `{schedule.job_id}` has not run"
                " since",
                help=f"see the ticks of the schedule in the UI, and {seen.home.logs}/daemon.log",
            )
    if not late:
        yield fine("no run is missing")


def check_pauses(seen: Observed) -> Iterator[Finding]:
    """No schedule stands still since its job keeps failing."""
    for name, reason in seen.holds.pauses.items():
        yield warn(
            f"`{name}` is {reason}",
            help=f"correct what fails, then `orchestrate schedule resume {name}`",
        )
    pausable = sum(
        schedule.max_consecutive_errors is not None for schedule in seen.workspace.schedules
    )
    if pausable and not seen.holds.pauses:
        yield fine(f"none of {count(pausable, 'schedule')} paused by failures")


def check_breakers(seen: Observed) -> Iterator[Finding]:
    """No tenant leaves a connector alone since it keeps failing. Where nothing is scheduled, nothing
    is held back.
    """
    if not seen.holds.is_exact:
        yield warn(
            "breakers and retry budgets are exact on one machine alone: the storage of this Dagster"
            " instance has no lock that holds on all",
            help="name the database by `runner.postgres_url`, and let `orchestrate` write dagster.yaml",
        )
    standing = [row for row in seen.holds.breakers if row.since]
    for row in standing:
        if unprobed := explain_unprobed(seen.workspace, row):
            yield fine(f"{row.reason}; {unprobed}")
            continue
        yield warn(
            row.reason,
            help="correct what fails; a probe will find out, or at once"
            f" `orchestrate breaker reset {row.tenant} {row.connector}`",
        )
    if seen.holds.breakers and not standing:
        yield fine(f"{count(len(seen.holds.breakers), 'breaker')}, all closed")


def due_ticks(seen: Observed, live: Live) -> Iterator[tuple[Schedule, datetime]]:
    """Each schedule that is on, with the last tick to which there should have been an answer by now.

    Ticks before Dagster knew the schedule, and before the file enabled it, do not count.
    """
    known = seen.index.starts() if seen.index else {}
    started = datetime.fromisoformat(seen.instance.started) if seen.instance else seen.now
    for schedule in seen.workspace.schedules:
        found = live.schedules.get(schedule.name)
        if not (schedule.enabled and found and found.is_on):
            continue
        since = max(found.since or started, known.get(schedule.name, _EVER))
        tick = last_tick(schedule, seen.now - PATIENCE)
        if tick and tick >= since:
            yield schedule, tick


def has_answered(schedule: Schedule, found: LiveSchedule, tick: datetime) -> bool:
    """Whether Dagster has dealt with the tick, by a run or by a reason for none. A sensor is looked
    at every few seconds, so only its runs tell; where `overlap: skip` lets it pass over slots, not
    even those.
    """
    if is_sensor(schedule):
        return schedule.overlap is Overlap.SKIP
    return found.tick is not None and found.tick.at >= tick


def last_tick(schedule: Schedule, now: datetime) -> datetime | None:
    """The last tick of the schedule until `now`, which is included; None where there is none."""
    if not is_timed(schedule.trigger):
        return None
    for back in _LOOK_BACK:
        found = deque(schedule_ticks(schedule, start=now - back, end=now + _MOMENT), maxlen=1)
        if found:
            return found[0]
    return None


def _judge_switch(schedule: Schedule, found: LiveSchedule | None) -> Finding | None:
    name = schedule.name
    if found is None:
        return fail(f"`{name}` is not loaded", help=_RELOAD)
    if not schedule.enabled or found.is_on:
        return None
    if found.by_hand:
        return warn(
            f"`{name}` is enabled in runner.yaml, and paused by hand in the UI",
            help="switch it on in the UI, or write `enabled: false`",
        )
    return fail(f"`{name}` was disabled when the files were last loaded", help=_RELOAD)


def _text(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
