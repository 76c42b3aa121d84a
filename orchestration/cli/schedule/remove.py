"""`orchestrate schedule remove`: deletes entries of runner.yaml."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import ExampleCommand, runner_file, runner_option
from orchestration.cli.schedule.errors import NotConfirmedError
from orchestration.cli.schedule.names import name_argument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.cli.schedule.entries import WrittenEntry

EXIT_DECLINED = 1


@click.command(
    "remove",
    cls=ExampleCommand,
    examples=(
        "orchestrate schedule remove globex_cities_hourly --dry-run",
        "orchestrate schedule remove globex_cities_hourly --yes",
    ),
)
@name_argument(nargs=-1)
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
@click.option("--dry-run", is_flag=True, help="Show the change of runner.yaml, and write nothing.")
@runner_option
def command(*, names: tuple[str, ...], yes: bool, dry_run: bool) -> int:
    """Remove schedules from runner.yaml.

    Their job files stay, and so do runs that are under way or queued. To keep a schedule and stop
    it from firing, use `orchestrate schedule disable`. Exits with 1 when the question is answered with
    no.
    """
    from orchestration.cli.schedule.edits import echo_diff, read_runner_text, write
    from orchestration.config.edit import remove_schedule

    before = read_runner_text(runner_file())
    chosen = [before.find(name) for name in dict.fromkeys(names)]
    text = before.text
    for entry in chosen:
        text = remove_schedule(text, str(entry.name))
    if dry_run:
        echo_diff(before, text)
        return 0
    if not yes and not _is_confirmed(chosen):
        click.echo("Nothing was removed.")
        return EXIT_DECLINED
    write(before, text)
    for entry in chosen:
        where = f"{entry.location.file}:{entry.location.line}"
        click.echo(f"{where}: `{entry.name}` removed")
    return 0


def _is_confirmed(chosen: Sequence[WrittenEntry]) -> bool:
    names = ", ".join(f"`{entry.name}`" for entry in chosen)
    if not sys.stdin.isatty():
        raise NotConfirmedError(
            f"nobody is there to confirm that {names} may be removed",
            help="add --yes, or --dry-run to see the change first",
        )
    return click.confirm(f"Remove {names} from runner.yaml?")
