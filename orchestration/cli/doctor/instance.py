"""Checks of the running instance as a whole: is it up, and does it do what the files say."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from orchestration.cli.doctor.finding import Finding, fail, fine, warn
from orchestration.cli.output import count
from orchestration.defs.instance import is_generated, render_instance
from orchestration.defs.slots import describe_slot
from orchestration.domain.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.cli.doctor.observed import Daemon, Live, Observed

SILENCE: Final = timedelta(seconds=90)
"""A daemon gives a sign of life every 30 seconds."""
_LOADING: Final = timedelta(seconds=30)
_AHEAD: Final = timedelta(seconds=5)
_COORDINATOR: Final = "OrchestrationRunCoordinator"
_MOST_SHOWN: Final = 5
_RELOAD: Final = "run `orchestrate reload`; it says what is in the way"


def check_instance(seen: Observed) -> Iterator[Finding]:
    """Something runs, and answers."""
    if seen.instance is None:
        yield fail(
            "neither `orchestrate up` nor `dev` is running, so schedules do not fire; what only a"
            " running one can tell was not checked",
            help="start `orchestrate up`",
        )
    elif seen.live is None:
        yield fail(
            f"`orchestrate {seen.instance.command}` runs in process {seen.instance.pid}, and its UI"
            f" at {seen.instance.url} does not answer: {seen.unreachable}",
            help=f"see {seen.home.logs}/webserver.log; restart it if this goes on",
        )
    else:
        yield fine(
            f"`orchestrate {seen.instance.command}` runs in process {seen.instance.pid}, with its"
            f" UI at {seen.instance.url}"
        )


def check_settings(seen: Observed, live: Live) -> Iterator[Finding]:
    """The instance has our coordinator, and the settings that follow from the files."""
    if live.coordinator != _COORDINATOR:
        yield fail(
            f"the run coordinator is {live.coordinator}, not {_COORDINATOR}: the"
            " limits of runner.yaml are not in force",
            help="take over the run_coordinator of a generated dagster.yaml, and restart",
        )
        return
    text = seen.settings_text
    if text is None or not is_generated(text):
        yield fine(f"{_COORDINATOR}, from a dagster.yaml of your own")
    elif text != render_instance(
        seen.workspace, dagster_home=seen.home.dagster, run_server=seen.home.run_server
    ):
        yield warn(
            "dagster.yaml would be written differently now: the settings of runner.yaml, or the"
            " grace periods of jobs, have changed since the start",
            help="restart it when that suits",
        )
    else:
        yield fine(f"{_COORDINATOR}, and the dagster.yaml that follows from the files")


def check_limits(seen: Observed, live: Live) -> Iterator[Finding]:
    """The limits in force are those of the files."""
    wanted = seen.wanted.limits
    differences = [
        f"{describe_slot(key)}: {live.limits.get(key, 'none')} in force,"
        f" {wanted.get(key, 'none')} in the files"
        for key in sorted(live.limits.keys() | wanted.keys())
        if live.limits.get(key) != wanted.get(key)
    ]
    total = seen.wanted.max_concurrent_runs
    if total is not None and total != live.max_concurrent_runs:
        differences.append(f"all runs: {live.max_concurrent_runs} in force, {total} in the files")
    for difference in differences:
        yield fail(difference, help=_RELOAD)
    if not differences:
        yield fine(f"{count(len(live.limits), 'limit')} in force, as in the files")


def check_daemons(seen: Observed, live: Live) -> Iterator[Finding]:
    """Every part of the daemon has given a sign of life, and reports no error."""
    if seen.instance and seen.now - datetime.fromisoformat(seen.instance.started) < SILENCE:
        yield fine(f"{count(len(live.daemons), 'daemon')} started a moment ago")
        return
    cure = f"see {seen.home.logs}/daemon.log"
    judged = [_judge_daemon(daemon, seen.now, cure) for daemon in live.daemons]
    findings = [finding for finding in judged if finding]
    yield from findings or [fine(f"{count(len(live.daemons), 'daemon')} alive")]


def _judge_daemon(daemon: Daemon, now: datetime, cure: str) -> Finding | None:
    if daemon.heartbeat is None:
        return fail(f"{daemon.name} has never given a sign of life", help=cure)
    if now - daemon.heartbeat > SILENCE:
        silence = format_duration(now - daemon.heartbeat)
        return fail(f"{daemon.name} has given no sign of life for {silence}", help=cure)
    if daemon.errors:
        return warn(f"{daemon.name} reports: {daemon.errors[0]}", help=cure)
    return None


def check_code_location(seen: Observed, live: Live) -> Iterator[Finding]:
    """The definitions are loaded, and are those of the files."""
    if live.location_error is not None:
        yield fail(
            f"the code location is not loaded: {live.location_error}",
            help=f"see {seen.home.logs}/code-server.log",
        )
        return
    if seen.index is None:
        yield fail("there is no index of what the code location serves", help=_RELOAD)
        return
    served, wanted = seen.index.stored["jobs"], seen.wanted.stored["jobs"]
    changed = sorted(key for key in served.keys() | wanted if served.get(key) != wanted.get(key))
    if changed:
        shown = ", ".join(changed[:_MOST_SHOWN])
        rest = f" and {len(changed) - _MOST_SHOWN} more" if len(changed) > _MOST_SHOWN else ""
        yield fail(f"what is served differs from the files: {shown}{rest}", help=_RELOAD)
    elif seen.newest_file and seen.indexed and seen.newest_file > seen.indexed + _LOADING:
        yield warn(
            f"a file has changed at {seen.newest_file:%Y-%m-%d %H:%M:%S} UTC, and the last load was"
            f" at {seen.indexed:%Y-%m-%d %H:%M:%S} UTC",
            help=_RELOAD,
        )
    else:
        yield fine(f"{count(len(served), 'job')} served as the files say")


def check_clock(seen: Observed, live: Live) -> Iterator[Finding]:
    """The clock has not been set back: Dagster would not fire ticks that are behind it."""
    latest = max((d.heartbeat for d in live.daemons if d.heartbeat), default=None)
    if latest and latest > seen.now + _AHEAD:
        ahead = format_duration(latest - seen.now)
        yield fail(
            f"the last sign of life of the daemon lies {ahead} in the future",
            help="synchronise the clocks of this machine and of the one that runs the daemon",
        )
    else:
        yield fine(f"{seen.now:%Y-%m-%d %H:%M:%S} UTC, and nothing lies in the future")
