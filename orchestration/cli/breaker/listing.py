"""`orchestrate breaker list`: how each breaker stands."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict

import click

from orchestration.cli.common import ExampleCommand, format_option, runner_file, runner_option
from orchestration.cli.output import show_instant, write_json, write_table

if TYPE_CHECKING:
    from orchestration.defs.ledger import BreakerRow

_COLOURS = {"closed": "green", "half-open": "yellow", "open": "red"}


class StandingRow(TypedDict):
    """One breaker as scripts read it; keys and order are an interface. The state is closed, open or
    half-open; the instants are in ISO 8601, and null while it is closed.
    """

    tenant: str
    connector: str
    state: str
    failures: int
    since: str | None
    next_probe: str | None


@click.command(
    "list",
    cls=ExampleCommand,
    examples=(
        "orchestrate breaker list",
        "orchestrate breaker list --tenant acme",
        "orchestrate breaker list --format json",
    ),
)
@click.option("--tenant", metavar="NAME", help="Only the breakers of this tenant.")
@format_option("table", "json")
@runner_option
def command(*, tenant: str | None, style: str) -> None:
    """List the breakers: which are open, and when they are probed.

    There is one for each tenant and each connector of its jobs for which runner.yaml has a
    `breaker`. `failures` are the failed attempts that count. Needs nothing to be up.
    """
    from orchestration.cli.holds import UNCOUNTED, explain_unprobed, find_ledger
    from orchestration.cli.lookup import check_tenant, view_workspace
    from orchestration.defs.ledger import list_breakers

    workspace = view_workspace(runner_file())
    check_tenant(workspace, tenant)
    jobs = [job for job in workspace.jobs if tenant in (None, job.tenant) and job.breaker]
    ledger = find_ledger(workspace, os.environ) if jobs else None
    rows = ledger.breakers(jobs) if ledger else list_breakers(jobs, datetime.now(UTC))
    if style == "json":
        write_json([standing_row(row) for row in rows])
        return
    header = ("tenant", "connector", "state", "failures", "since", "next probe")
    write_table(
        [_cells(row) for row in rows], header=header, empty="There are no breakers in runner.yaml."
    )
    unseen = UNCOUNTED if rows and ledger is None else ""
    if notes := list(filter(None, (unseen, *(explain_unprobed(workspace, row) for row in rows)))):
        click.echo("\n" + "\n".join(notes))


def standing_row(row: BreakerRow) -> StandingRow:
    """The breaker as scripts read it."""
    return {
        "tenant": row.tenant,
        "connector": row.connector,
        "state": str(row.state),
        "failures": row.failures,
        "since": row.since.isoformat() if row.since else None,
        "next_probe": row.next_probe.isoformat() if row.next_probe else None,
    }


def _cells(row: BreakerRow) -> tuple[str, ...]:
    state = click.style(row.state, fg=_COLOURS[row.state])
    instants = (show_instant(at) if at else "-" for at in (row.since, row.next_probe))
    return (row.tenant, row.connector, state, str(row.failures), *instants)
