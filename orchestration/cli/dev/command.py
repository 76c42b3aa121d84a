"""`orchestrate dev`: everything on this machine, in the foreground, until Ctrl-C."""

from __future__ import annotations

import click

from orchestration.cli.common import ExampleCommand, runner_file, runner_option


@click.command(
    "dev",
    cls=ExampleCommand,
    examples=(
        "orchestrate dev",
        "orchestrate dev --port 3001",
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
@runner_option
def command(port: int, host: str, *, allow_remote: bool) -> None:
    """Start the UI and the scheduler, and load every change.

    Everything runs until Ctrl-C, and stops with this command, however that ends. A change to
    runner.yaml or to a job file is checked and loaded when it is saved. State and logs are kept in
    the folder .orchestrate beside runner.yaml.
    """
    from orchestration.cli.dev.launch import launch

    launch(runner_file(), host=host, port=port, allow_remote=allow_remote)
