"""`orchestrate breaker reset`: closes a breaker without a probe."""

from __future__ import annotations

import os

import click

from orchestration.cli.common import ExampleCommand, runner_file, runner_option


@click.command("reset", cls=ExampleCommand, examples=("orchestrate breaker reset acme stripe",))
@click.argument("tenant")
@click.argument("connector")
@runner_option
def command(tenant: str, connector: str) -> None:
    """Close the breaker of TENANT and CONNECTOR now, without a probe.

    The failures so far are forgotten, and the schedules run at their next tick. Needs nothing to be
    up.
    """
    from orchestration.cli.breaker.errors import UnknownBreakerError
    from orchestration.cli.holds import find_ledger
    from orchestration.cli.lookup import view_workspace

    workspace = view_workspace(runner_file())
    names = {(job.tenant, job.connector) for job in workspace.jobs if job.breaker}
    if (tenant, connector) not in names:
        raise UnknownBreakerError(
            f"tenant `{tenant}` has no breaker for a connector `{connector}`",
            help="`orchestrate breaker list` shows all",
        )
    ledger = find_ledger(workspace, os.environ)
    changed = ledger is not None and ledger.reset(tenant, connector)
    effect = "is closed, and its failures are forgotten" if changed else "had no failures to forget"
    click.echo(f"the breaker of `{connector}` for tenant `{tenant}` {effect}")
