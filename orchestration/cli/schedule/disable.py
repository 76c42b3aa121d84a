"""`orchestrate schedule disable`: edits `enabled` in runner.yaml."""

from __future__ import annotations

import click

from orchestration.cli.common import ExampleCommand, runner_file, runner_option
from orchestration.cli.schedule.names import name_argument


@click.command(
    "disable",
    cls=ExampleCommand,
    examples=(
        "orchestrate schedule disable acme_airports_every_minute",
        "orchestrate schedule disable acme_airports_every_minute --dry-run",
    ),
)
@name_argument(nargs=-1)
@click.option("--dry-run", is_flag=True, help="Show the change of runner.yaml, and write nothing.")
@runner_option
def command(*, names: tuple[str, ...], dry_run: bool) -> None:
    """Keep schedules from firing: edits runner.yaml.

    A schedule that is disabled already is left as it is. It takes effect at the next tick, whether or
    not the files were reloaded; runs that are under way or queued go on.
    """
    from orchestration.cli.schedule.switching import switch

    switch(runner_file(), names, enabled=False, dry_run=dry_run)
