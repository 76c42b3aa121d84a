"""The check of runs that have failed and wait for a retry in another run."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final

from orchestration.cli.dev.services import LOCATION_NAME
from orchestration.cli.doctor.finding import Finding, fail, fine, warn
from orchestration.domain.describe import RETRY_SENSOR
from orchestration.domain.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.cli.doctor.observed import Live, Observed
    from orchestration.cli.retry.waits import Waiting

_SLACK: Final = timedelta(minutes=2)
_MOST_SHOWN: Final = 5
_TURN_ON: Final = f"turn the sensor `{RETRY_SENSOR}` on in the UI, under Automation"


def check_retries(seen: Observed, live: Live) -> Iterator[Finding]:
    """What waits for a retry is launched when it is due."""
    if live.retry_sensor is None:  # the code location is not loaded, which another check tells
        return
    if not live.retry_sensor.is_on:
        if seen.waits:
            yield fail(f"{_retries(len(seen.waits))} to come that nobody launches", help=_TURN_ON)
        else:
            yield warn("no retry will be launched in a new run", help=_TURN_ON)
        return
    stuck = [finding for each in seen.waits if (finding := _judge(each, seen))]
    yield from islice(stuck, _MOST_SHOWN)
    if rest := len(stuck[_MOST_SHOWN:]):
        yield warn(
            f"{_retries(rest)} more that cannot be launched", help="see `orchestrate retry list`"
        )
    if not stuck:
        yield fine(f"{_retries(len(seen.waits))} to come")


def _judge(each: Waiting, seen: Observed) -> Finding | None:
    """What keeps a retry from being launched, if something does that is not meant to."""
    what, run_id = f"attempt {each.job.attempt} of `{each.job.job_id}`", each.run_id
    cancel = f"take the retry back with `orchestrate retry cancel {run_id}`"
    origin, job = each.wait.location, seen.workspace.job(each.job.job_id)
    elsewhere = origin.name if origin and origin.name != LOCATION_NAME else ""
    if job is None and not elsewhere:
        return warn(
            f"{what} cannot be launched: the job is gone or broken (run {run_id})",
            help=f"bring its file back, or {cancel}",
        )
    breaker = seen.holds.breaker_of(job) if job else None
    probe = breaker.next_probe if breaker else None
    late = timedelta(seconds=round((seen.now - max(each.due, probe or each.due)).total_seconds()))
    if late <= _SLACK or not each.wait.run.is_finished:
        return None
    why, cure = each.hold, f"the sensor `{RETRY_SENSOR}` says why in the UI"
    if elsewhere:
        why = f"only the code location `{elsewhere}`, which launched the run, launches it"
        cure = "start that code location again"
    return warn(
        f"{what} is due for {format_duration(late)} and not launched (run {run_id})"
        + (f": {why}" if why else ""),
        help=f"{cure}; {cancel}",
    )


def _retries(number: int) -> str:
    return f"{number:,} retry" if number == 1 else f"{number:,} retries"
