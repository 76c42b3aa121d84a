"""`orchestrate checkpoint show`: the content of a checkpoint, or all that is known of it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import ExampleCommand, runner_file, runner_option
from orchestration.cli.output import count, write_json
from orchestration.cli.run import complete_job

if TYPE_CHECKING:
    from orchestration.cli.checkpoint.lookup import Found
    from orchestration.runner.checkpoints import Version


@click.command(
    "show",
    cls=ExampleCommand,
    examples=(
        "orchestrate checkpoint show acme/events",
        "orchestrate checkpoint show acme/events --version 1 > checkpoint",
        "orchestrate checkpoint show acme/events --format json",
    ),
)
@click.argument("job", shell_complete=complete_job)
@click.option(
    "--version", "number", type=click.IntRange(min=1), help="Which one, by default the current one."
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["content", "json"]),
    default="content",
    show_default=True,
    help="The content as it is, or an object with all that is known of it.",
)
@runner_option
def command(*, job: str, number: int | None, style: str) -> None:
    """Print the checkpoint of a job.

    In JSON, the content is a text as `content`, or where it is none in base64 as `content_base64`.
    """
    from orchestration.cli.checkpoint.lookup import find_checkpoints, version_row

    found = find_checkpoints(runner_file(), job)
    version = _pick(found, number)
    content = found.checkpoints.read(version)
    if style == "json":
        write_json({"job": found.job_id, **version_row(version), **_as_text(content)})
    else:
        click.echo(content, nl=False)


def _pick(found: Found, number: int | None) -> Version:
    from orchestration.cli.checkpoint.errors import NoCheckpointError

    history = found.history()
    if number is None:
        number = history[0].number
    version = next((version for version in history if version.number == number), None)
    if version is None:
        numbers = ", ".join(str(version.number) for version in history)
        raise NoCheckpointError(
            f"there is no version {number} of the checkpoint of `{found.job_id}`",
            help=f"it has {count(len(history), 'version')}: {numbers}",
        )
    if version.digest is None:
        raise NoCheckpointError(
            f"`{found.job_id}` has no checkpoint: version {number} is a reset",
            help=f"`orchestrate checkpoint history {found.job_id}` shows the versions before",
        )
    return version


def _as_text(content: bytes) -> dict[str, str]:
    try:
        return {"content": content.decode()}
    except UnicodeDecodeError:
        return {"content_base64": base64.b64encode(content).decode()}
