"""`orchestrate schedule enable`: edits `enabled` in runner.yaml."""

from __future__ import annotations

import click

from orchestration.cli.common import ExampleCommand, runner_file, runner_option
from orchestration.cli.schedule.names import name_argument


@click.command(
    "enable",
    cls=ExampleCommand,
    examples=(
        "orchestrate schedule enable globex_cities_hourly",
        "orchestrate schedule enable globex_cities_hourly --dry-run",
    ),
)
@name_argument(nargs=-1)
@click.option("--dry-run", is_flag=True, help="Show the change of runner.yaml, and write nothing.")
@runner_option
def command(*, names: tuple[str, ...], dry_run: bool) -> None:
    """Let schedules fire: edits runner.yaml.

    A schedule that is enabled already is left as it is. The switch in Dagster's UI is a second one:
    a schedule that is paused there stays so.
    """
    from orchestration.cli.schedule.switching import switch

    switch(runner_file(), names, enabled=True, dry_run=dry_run)
