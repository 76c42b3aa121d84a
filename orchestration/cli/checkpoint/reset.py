"""`orchestrate checkpoint reset`: a job begins anew."""

from __future__ import annotations

import sys

import click

from orchestration.cli.common import ExampleCommand, runner_file, runner_option
from orchestration.cli.run import complete_job

EXIT_DECLINED = 1


@click.command(
    "reset",
    cls=ExampleCommand,
    examples=("orchestrate checkpoint reset acme/events --yes",),
)
@click.argument("job", shell_complete=complete_job)
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
@runner_option
def command(*, job: str, yes: bool) -> int:
    """Make a job begin anew: its next run finds no checkpoint.

    The versions before are kept, and can be set again. Not while the job is running. Exits with 1
    when the question is answered with no.
    """
    from orchestration.cli.checkpoint.lookup import find_checkpoints

    found = find_checkpoints(runner_file(), job)
    if not yes and not _is_confirmed(found.job_id):
        click.echo("Nothing was reset.")
        return EXIT_DECLINED
    with found.while_it_rests():
        version = found.checkpoints.reset()
    click.echo(
        f"{found.job_id}: has no checkpoint, and begins anew"
        if version is None
        else f"{found.job_id}: begins anew; version {version.number} of its checkpoint is the reset"
    )
    return 0


def _is_confirmed(job_id: str) -> bool:
    from orchestration.cli.schedule.errors import NotConfirmedError

    if not sys.stdin.isatty():
        raise NotConfirmedError(
            f"nobody is there to confirm that the checkpoint of `{job_id}` may be reset",
            help="add --yes; `orchestrate checkpoint show` shows it first",
        )
    return click.confirm(f"Make {job_id} begin anew?")
