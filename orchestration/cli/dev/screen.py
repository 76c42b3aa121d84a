"""What `orchestrate dev` shows: one screen once everything runs, then a line for each event."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestration import __version__
from orchestration.cli.output import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from orchestration.cli.dev.ui import FinishedRun
    from orchestration.domain.workspace import Workspace

_COLOURS = {
    "succeeded": "green",
    "partial": "yellow",
    "failed": "red",
    "cancelled": "yellow",
    "reloaded": "cyan",
    "error": "red",
    "retry": "yellow",
    "opened": "red",
    "closed": "green",
}
_LONGEST = max(map(len, _COLOURS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where things are: the address of the UI, folders as the user would write them, and notes."""

    url: str
    state: str
    logs: str
    processes: Sequence[str]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something to tell; `kind` is one word, as `reloaded` or an outcome. Without one the text
    stands for itself.
    """

    text: str
    kind: str = ""


def render_screen(workspace: Workspace, around: Surroundings) -> str:
    """The screen: what runs where, and what is in the workspace."""
    rows = [
        ("UI", click.style(around.url, bold=True, underline=True)),
        ("workspace", str(workspace.runner_file)),
        ("jobs", describe_jobs(workspace)),
        ("schedules", describe_schedules(workspace)),
        ("processes", ", ".join(around.processes)),
        ("state", around.state),
        ("logs", around.logs),
    ]
    title = click.style(f"orchestrate {__version__}", bold=True)
    lines = [f"  {click.style(f'{name:<11}', dim=True)}{text}" for name, text in rows]
    notes = [f"\n{click.style('note:', fg='yellow')} {note}" for note in around.notes]
    end = "Saved changes are loaded at once. Press Ctrl-C to stop everything."
    return "\n".join(["", title, "", *lines, *notes, "", click.style(end, dim=True), ""])


def describe_jobs(workspace: Workspace) -> str:
    """`9 of 3 tenants: acme 4, globex 3, initech 2; 1 is broken`."""
    tenants = Counter(job.tenant for job in (*workspace.jobs, *workspace.broken_jobs))
    if not tenants:
        return "none yet"
    shares = ", ".join(f"{tenant} {number}" for tenant, number in sorted(tenants.items())[:8])
    rest = f" and {len(tenants) - 8} more" if len(tenants) > 8 else ""
    broken = len(workspace.broken_jobs)
    state = f"; {broken} {'is' if broken == 1 else 'are'} broken" if broken else ""
    return f"{tenants.total():,} of {count(len(tenants), 'tenant')}: {shares}{rest}{state}"


def describe_schedules(workspace: Workspace) -> str:
    """`6, of which 5 are enabled`."""
    enabled = sum(schedule.enabled for schedule in workspace.schedules)
    total = len(workspace.schedules)
    if total in (0, enabled):
        return f"{total:,}" if total else "none yet"
    return f"{total:,}, of which {enabled:,} {'is' if enabled == 1 else 'are'} enabled"


def format_event(at: datetime, event: Event) -> str:
    """`12:00:03  reloaded   9 jobs, 6 schedules`; further lines of the text are indented."""
    if not event.kind:
        return event.text
    label = click.style(f"{event.kind:<{_LONGEST}}", fg=_COLOURS.get(event.kind))
    text = event.text.replace("\n", f"\n{'':{_LONGEST + 12}}")
    return f"{click.style(f'{at:%H:%M:%S}', dim=True)}  {label}  {text}"


def run_events(run: FinishedRun, url: str) -> Iterator[Event]:
    """How the run ended, and what follows from it."""
    yield run_event(run, url)
    if run.retry_at:
        at = run.retry_at.astimezone()
        yield Event(kind="retry", text=f"{run.subject} again at {at:%F %T}, in a new run")
    for breaker, change in run.breakers:
        tenant, _, connector = breaker.partition("/")
        effect = "its schedules skip" if change == "opened" else "its schedules run again"
        text = f"the breaker of `{connector}` for tenant `{tenant}`; {effect}"
        yield Event(kind=change, text=text)


def run_event(run: FinishedRun, url: str) -> Event:
    """`acme/airports, 28,257 rows in the table, 1.9 s`; what went wrong has its address."""
    parts = [run.subject]
    if run.rows is not None:
        parts.append(f"{count(run.rows, 'row')} in the table")
    if run.seconds is not None:
        parts.append(f"{run.seconds:.1f} s")
    address = "" if run.outcome == "succeeded" else f"\n{url}/runs/{run.run_id}"
    return Event(kind=run.outcome, text=", ".join(parts) + address)
