"""`orchestrate up`: everything on this machine, as a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestration.cli.common import ExampleCommand, runner_file, runner_option
from orchestration.domain.durations import parse_duration

if TYPE_CHECKING:
    from datetime import timedelta


def _duration(_ctx: click.Context, _: click.Parameter, value: str | None) -> timedelta | None:
    if value is None:
        return None
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command(
    "up",
    cls=ExampleCommand,
    examples=(
        "orchestrate up",
        "orchestrate up --graceful-shutdown-timeout 10m",
    ),
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    default=3000,
    show_default=True,
    help="Port of the UI; 0 for any free one.",
)
@click.option(
    "--host", default="127.0.0.1", metavar="ADDRESS", show_default=True, help="Address of the UI."
)
@click.option(
    "--allow-remote",
    is_flag=True,
    help="Accept a --host that other machines can reach. The UI has no authentication.",
)
@click.option(
    "--read-only", is_flag=True, help="Start a UI that shows everything and changes nothing."
)
@click.option(
    "--graceful-shutdown-timeout",
    "patience",
    metavar="DURATION",
    callback=_duration,
    help="How long runs under way may go on when it is stopped, before they are cancelled, as 90s"
    " or 10m. By default what runner.yaml says, else 30s.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How events are written to stdout, one a line.",
)
@runner_option
def command(
    port: int,
    host: str,
    patience: timedelta | None,
    log_format: str,
    *,
    allow_remote: bool,
    read_only: bool,
) -> None:
    """Start the UI and the scheduler as a service, and keep them running.

    A process that ends is started again, up to 5 times in 10 minutes; beyond that everything is
    stopped, and the exit code is 2. Changes of the files are checked and loaded as they are saved.

    SIGTERM or Ctrl-C stops the schedules first, waits for the runs under way, cancels those that
    take longer, and then stops the rest; the exit code is 0. A second signal cancels the runs at
    once, and a third one kills everything.
    """
    from orchestration.cli.up.launch import Options, launch

    options = Options(
        host=host,
        port=port,
        allow_remote=allow_remote,
        read_only=read_only,
        patience=patience,
        log_format=log_format,
    )
    launch(runner_file(), options)
