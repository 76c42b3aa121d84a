"""All checks, by the names under which scripts know them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from orchestration.cli.doctor import instance, retries, runs, schedules, surroundings
from orchestration.cli.doctor.finding import Finding
from orchestration.cli.doctor.observed import Live, Observed

Check = Callable[[Observed], Iterable[Finding]]
LiveCheck = Callable[[Observed, Live], Iterable[Finding]]

CHECKS: Mapping[str, Check] = {
    "files": surroundings.check_files,
    "instance": instance.check_instance,
    "versions": surroundings.check_versions,
    "disk": surroundings.check_disk,
    "secrets": surroundings.check_secrets,
    "database": surroundings.check_database,
    "pauses": schedules.check_pauses,
    "breakers": schedules.check_breakers,
}
LIVE_CHECKS: Mapping[str, LiveCheck] = {
    "settings": instance.check_settings,
    "limits": instance.check_limits,
    "daemons": instance.check_daemons,
    "code location": instance.check_code_location,
    "clock": instance.check_clock,
    "schedules": schedules.check_schedules,
    "ticks": schedules.check_ticks,
    "queue": runs.check_queue,
    "runs": runs.check_runs,
    "retries": retries.check_retries,
}
"""Those that need a running instance that answers."""


def examine(seen: Observed) -> Iterator[tuple[str, Finding]]:
    """Every finding with the name of its check, in the order of the checks."""
    for name, check in CHECKS.items():
        yield from ((name, finding) for finding in check(seen))
    if seen.live:
        for name, check in LIVE_CHECKS.items():
            yield from ((name, finding) for finding in check(seen, seen.live))
