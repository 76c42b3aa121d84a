"""`orchestrate dlq drop`: deletes dead letters."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import ExampleCommand, runner_file, runner_option
from orchestration.cli.dlq.filters import Selection, selection_options
from orchestration.cli.output import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.cli.dlq.boxes import Choice

EXIT_DECLINED = 1
EXIT_OUT_OF_REACH = 2


@click.command(
    "drop",
    cls=ExampleCommand,
    examples=(
        "orchestrate dlq drop --job acme/airports --dry-run",
        "orchestrate dlq drop --job acme/airports --stage read --yes",
    ),
)
@click.argument("letter", default="")
@selection_options
@click.option("--limit", type=click.IntRange(min=1), help="Drop at most so many of each job.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@runner_option
def command(
    *,
    letter: str,
    jobs: tuple[str, ...],
    tenant: str | None,
    run: str,
    stage: str | None,
    limit: int | None,
    yes: bool,
    dry_run: bool,
) -> int:
    """Delete dead letters for good.

    LETTER is the id of one, or its beginning. Their records are lost, unless the source still has
    them and is loaded again. Not while the job is running. Exits with 1 when the question is
    answered with no.
    """
    from orchestration.cli.dlq.boxes import check_letter, choose_jobs

    selection = Selection(
        jobs=jobs, tenant=tenant, run=run, stage=stage, limit=limit, letter=letter
    )
    meant = choose_jobs(runner_file(), selection)
    code = 0 if meant.is_whole else EXIT_OUT_OF_REACH
    counts = [(choice, _count(choice, selection)) for choice in meant.jobs]
    check_letter(sum(found for _, found in counts), selection)
    chosen = [(choice, found) for choice, found in counts if found]
    if not chosen:
        click.echo("There are no dead letters to drop.")
        return code
    if dry_run:
        for (_, job), found in chosen:
            click.echo(f"{job.id}: {count(found, 'dead letter')} would be dropped")
        return code
    if not yes and not _is_confirmed(chosen):
        click.echo("Nothing was dropped.")
        return EXIT_DECLINED
    for choice, _ in chosen:
        _drop(choice, selection)
    return code


def _count(choice: Choice, selection: Selection) -> int:
    from orchestration.cli.dlq.boxes import open_box

    found = open_box(*choice).count(selection.wanted)
    return min(found, selection.limit or found)


def _drop(choice: Choice, selection: Selection) -> None:
    from orchestration.cli.dlq.boxes import open_box
    from orchestration.runner import job_lock

    workspace, job = choice
    with job_lock(workspace.settings.state_directory, job.id):
        dropped = open_box(workspace, job).drop(selection.wanted)
    click.echo(f"{job.id}: {count(dropped, 'dead letter')} dropped")


def _is_confirmed(chosen: Sequence[tuple[Choice, int]]) -> bool:
    from orchestration.cli.dlq.errors import UnconfirmedDropError

    what = ", ".join(f"{count(found, 'dead letter')} of {job.id}" for (_, job), found in chosen)
    if not sys.stdin.isatty():
        raise UnconfirmedDropError(
            f"nobody is there to confirm that {what} may be deleted",
            help="add --yes, or --dry-run to see first what would be deleted",
        )
    return click.confirm(f"Delete {what} for good?")
