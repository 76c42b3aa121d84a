"""`orchestrate checkpoint set`: a checkpoint from a file."""

from __future__ import annotations

from typing import BinaryIO

import click

from orchestration.cli.common import ExampleCommand, runner_file, runner_option
from orchestration.cli.output import count
from orchestration.cli.run import complete_job


@click.command(
    "set",
    cls=ExampleCommand,
    examples=(
        "orchestrate checkpoint set acme/events checkpoint",
        "echo 100 | orchestrate checkpoint set acme/events -",
    ),
)
@click.argument("job", shell_complete=complete_job)
@click.argument("file", type=click.File("rb"))
@runner_option
def command(*, job: str, file: BinaryIO) -> None:
    """Make the content of a file the checkpoint of a job.

    FILE `-` is standard input. The versions before are kept. Not while the job is running, since its
    run would store another one when it ends.
    """
    from orchestration.cli.checkpoint.lookup import find_checkpoints
    from orchestration.runner.checkpoints import LARGEST_BYTES

    found = find_checkpoints(runner_file(), job)
    content = file.read(LARGEST_BYTES + 1)
    with found.while_it_rests():
        version = found.checkpoints.save(content)
    if version is None:
        click.echo(f"{found.job_id}: this is its checkpoint already")
    else:
        size = count(version.size, "byte")
        click.echo(f"{found.job_id}: version {version.number} of its checkpoint, {size}")
