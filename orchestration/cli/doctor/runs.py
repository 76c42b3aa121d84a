"""Checks of runs that have not ended: those that wait, and those that hold a slot for too long."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from orchestration.cli.doctor.finding import Finding, fail, fine, warn
from orchestration.cli.output import count
from orchestration.defs import tags
from orchestration.defs.instance import cancel_timeout
from orchestration.defs.slots import describe_slot
from orchestration.domain.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestration.cli.doctor.observed import Live, Observed, Run
    from orchestration.defs.index import IndexEntry

LONG_WAIT: Final = timedelta(hours=1)
_STARTING: Final = timedelta(minutes=2)
_SLACK: Final = timedelta(minutes=1)
_MOST_SHOWN: Final = 5


def check_queue(seen: Observed, live: Live) -> Iterator[Finding]:
    """Runs that wait do so for a limit, and not for long."""
    entries = entries_by_job(seen)
    used = count_slots(entries, live)
    waits = [
        (run, seen.now - run.created, find_hold(entries, live, used, run)) for run in live.queued
    ]
    forgotten = [(run, wait) for run, wait, hold in waits if not hold and wait > _STARTING]
    for run, wait in forgotten[:_MOST_SHOWN]:
        yield fail(
            f"{run.job} has waited for {_text(wait)}, and no limit holds it back (run {run.run_id})",
            help=f"see {seen.home.logs}/daemon.log",
        )
    held = sorted((w for w in waits if w[2]), key=lambda each: each[1], reverse=True)
    for run, wait, hold in held[:_MOST_SHOWN]:
        text = f"{run.job} has waited for {_text(wait)}: {hold}"
        if wait > LONG_WAIT:
            yield warn(text, help="raise the limit in runner.yaml, or start fewer runs")
        else:
            yield fine(text)
    rest = len(live.queued) - min(len(forgotten), _MOST_SHOWN) - min(len(held), _MOST_SHOWN)
    if rest or not live.queued:
        more = "more " if rest < len(live.queued) else ""
        yield fine(f"{count(rest, f'{more}run')} in the queue")


def check_runs(seen: Observed, live: Live) -> Iterator[Finding]:
    """No run holds its slots although its worker must be gone."""
    stuck = 0
    for run in live.under_way:
        bound = _bound(seen, run)
        duration = seen.now - run.since
        if bound is None or duration <= bound + _SLACK:
            continue
        stuck += 1
        if stuck <= _MOST_SHOWN:
            yield fail(
                f"{run.job} is {run.status} for {_text(duration)}, and {_text(bound)} is the most it"
                f" can take; it holds slots (run {run.run_id})",
                help="terminate the run in the UI, with `force`",
            )
    if not stuck:
        yield fine(f"{count(len(live.under_way), 'run')} under way")


def entries_by_job(seen: Observed) -> dict[str, IndexEntry]:
    """What the index says of each job, by its id."""
    return {entry.job_id: entry for entry in seen.index.jobs.values()} if seen.index else {}


def count_slots(entries: Mapping[str, IndexEntry], live: Live) -> Counter[str]:
    """How many runs are under way for each limit."""
    return Counter(slot for run in live.under_way for slot in slots_of(entries, run))


def find_hold(entries: Mapping[str, IndexEntry], live: Live, used: Counter[str], run: Run) -> str:
    """The limit that keeps a run in the queue, in words; empty if there is none."""
    total = live.max_concurrent_runs
    if total is not None and 0 <= total <= len(live.under_way):
        return f"all runs: {len(live.under_way)} of {total} under way"
    for slot in slots_of(entries, run):
        limit = live.limits.get(slot)
        if limit is not None and used[slot] >= limit:
            return f"{describe_slot(slot)}: {used[slot]} of {limit} under way"
    return ""


def slots_of(entries: Mapping[str, IndexEntry], run: Run) -> list[str]:
    """The limits that a run counts against. Dagster shows their tags to nobody, so they are told
    from those that it shows.
    """
    tenants = run.tags.get(tags.TENANT, "").split(",")
    jobs = {f"{t}/{name}" for t in tenants for name in run.tags.get(tags.JOB_NAME, "").split(",")}
    mine = [entries[job] for job in sorted(jobs) if job in entries]
    slots = [tags.tenant_slot(tenant) for tenant in tenants if tenant]
    slots += [tags.job_slot(entry.job_id) for entry in mine]
    slots += [tags.connector_slot(name) for entry in mine for name in entry.connectors]
    return list(dict.fromkeys(slots))


def _bound(seen: Observed, run: Run) -> timedelta | None:
    """The longest that the run can be in its status; None where there is no bound."""
    match run.status:
        case "STARTING":
            return _STARTING
        case "CANCELING":
            return cancel_timeout(seen.workspace)
        case _:
            text = run.tags.get(tags.MAX_RUNTIME, "")
            return timedelta(seconds=int(text)) if text.isdecimal() else None


def _text(duration: timedelta) -> str:
    return format_duration(timedelta(seconds=round(duration.total_seconds())))
