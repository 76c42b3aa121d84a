"""`orchestrate retry list`: what waits for a retry, and until when."""

from __future__ import annotations

import os
from datetime import UTC
from typing import TYPE_CHECKING, TypedDict

import click

from orchestration.cli.common import ExampleCommand, format_option, runner_file, runner_option
from orchestration.cli.output import show_instant, write_json, write_table

if TYPE_CHECKING:
    from orchestration.cli.retry.waits import Waiting


class RetryRow(TypedDict):
    """A retry to come as scripts read it; keys and order are an interface. `run` is the id of the
    run that waits, `attempt` the number of the attempt that follows, `due` in ISO 8601, and `reason`
    why there is one. `runnable` is false while the job is gone or broken.
    """

    job: str
    run: str
    attempt: int
    due: str
    reason: str
    runnable: bool


@click.command(
    "list",
    cls=ExampleCommand,
    examples=(
        "orchestrate retry list",
        "orchestrate retry list --tenant acme",
        "orchestrate retry list --format json",
    ),
)
@click.option("--tenant", metavar="NAME", help="Only the jobs of this tenant.")
@format_option("table", "json")
@runner_option
def command(*, tenant: str | None, style: str) -> None:
    """List the runs that wait for a retry in a new run.

    A retry that is due soon waits in the run that failed, and is not among them. Needs nothing to be
    up.
    """
    from orchestration.cli.lookup import check_tenant, view_workspace
    from orchestration.cli.retry.waits import list_waiting, open_instance

    workspace = view_workspace(runner_file())
    check_tenant(workspace, tenant)
    healthy = {job.id for job in workspace.jobs}
    with open_instance(workspace, os.environ) as instance:
        found = list_waiting(instance) if instance else []
    shown = [each for each in found if tenant in (None, each.job.job_id.partition("/")[0])]
    if style == "json":
        write_json([_row(each, runnable=each.job.job_id in healthy) for each in shown])
        return
    rows = [_cells(each, runnable=each.job.job_id in healthy) for each in shown]
    header = ("job", "run", "attempt", "due", "reason")
    write_table(rows, header=header, empty="No run waits for a retry.")


def _row(waiting: Waiting, *, runnable: bool) -> RetryRow:
    return {
        "job": waiting.job.job_id,
        "run": waiting.run_id,
        "attempt": waiting.job.attempt,
        "due": waiting.due.astimezone(UTC).isoformat(timespec="seconds"),
        "reason": waiting.job.reason,
        "runnable": runnable,
    }


def _cells(waiting: Waiting, *, runnable: bool) -> tuple[str, ...]:
    job, reason = waiting.job, waiting.job.reason
    if not runnable:
        cure = f"bring its file back, or `orchestrate retry cancel {waiting.run_id[:8]}`"
        reason = click.style(f"the job is gone or broken; {cure}", fg="red")
    due = show_instant(waiting.due.astimezone(UTC))
    return (job.job_id, waiting.run_id[:8], str(job.attempt), due, reason)
