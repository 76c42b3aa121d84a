"""The check of runs that have failed and wait for a retry in another run."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from orchestration.cli.doctor.finding import Finding, fail, fine, warn
from orchestration.cli.output import count
from orchestration.defs import tags
from orchestration.domain.describe import RETRY_SENSOR
from orchestration.domain.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.cli.doctor.observed import Live, Observed, Run

_SLACK: Final = timedelta(minutes=2)
_MOST_SHOWN: Final = 5
_TURN_ON: Final = f"turn the sensor `{RETRY_SENSOR}` on in the UI, under Automation"


def check_retries(seen: Observed, live: Live) -> Iterator[Finding]:
    """What waits for a retry is launched when it is due."""
    if live.retry_sensor is None:  # the code location is not loaded, which another check tells
        return
    waiting = count(len(live.waiting), "run")
    if not live.retry_sensor.is_on:
        if live.waiting:
            yield fail(f"{waiting} with a retry that nobody launches", help=_TURN_ON)
        else:
            yield warn("no retry will be launched in a new run", help=_TURN_ON)
        return
    late = [(run, wait) for run in live.waiting if (wait := _lateness(run, seen.now)) > _SLACK]
    for run, wait in sorted(late, key=lambda each: each[1], reverse=True)[:_MOST_SHOWN]:
        yield warn(
            f"the retry of {run.job} is due for {format_duration(wait)} and not launched"
            f" (run {run.run_id})",
            help=f"the sensor `{RETRY_SENSOR}` says why in the UI; take it back with"
            f" `orchestrate retry cancel {run.run_id}`",
        )
    if not late:
        yield fine(f"{waiting} with a retry to come")


def _lateness(run: Run, now: datetime) -> timedelta:
    try:
        due = datetime.fromisoformat(run.tags[tags.RETRY_AT])
    except (KeyError, ValueError):
        return timedelta(0)
    return timedelta(seconds=round((now - due).total_seconds()))
