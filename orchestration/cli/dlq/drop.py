"""`orchestrate dlq drop`: deletes dead letters."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import ExampleCommand, runner_file, runner_option
from orchestration.cli.dlq.filters import Selection, letter_argument, selection_options
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
        "orchestrate dlq drop --all --dry-run",
    ),
)
@letter_argument
@selection_options
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Drop those of all jobs, where nothing else says which.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Drop at most so many of each job.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@runner_option
def command(
    *,
    letter: str | None,
    jobs: tuple[str, ...],
    tenant: str | None,
    run: str | None,
    stage: str | None,
    everything: bool,
    limit: int | None,
    yes: bool,
    dry_run: bool,
) -> int:
    """Delete dead letters for good.

    LETTER is the id of one, or its beginning; without it, say which with --job, --tenant, --run or
    --stage, or that --all are meant. Their records are lost, unless the source still has
    them and is loaded again. Not while the job is running. Exits with 1 when the question is
    answered with no.
    """
    from orchestration.cli.dlq.boxes import check_letter, choose_jobs, visit

    selection = Selection(
        jobs=jobs, tenant=tenant, run=run, stage=stage, limit=limit, letter=letter
    )
    if selection.is_everything != everything:
        raise click.UsageError(
            "say which: LETTER, --job, --tenant, --run or --stage; or else --all"
        )
    meant = choose_jobs(runner_file(), selection)
    counts = visit(meant.jobs, lambda choice: _count(choice, selection))
    code = 0 if meant.is_whole and counts.is_whole else EXIT_OUT_OF_REACH
    check_letter(sum(found for _, found in counts.found), selection)
    chosen = [(choice, found) for choice, found in counts.found if found]
    if not chosen:
        click.echo("There are no dead letters to drop.")
        return code
    if dry_run:
        for (_, job, _), found in chosen:
            click.echo(f"{job.id}: {count(found, 'dead letter')} would be dropped")
        return code
    if not yes and not _is_confirmed(chosen):
        click.echo("Nothing was dropped.")
        return EXIT_DECLINED
    dropped = visit([choice for choice, _ in chosen], lambda choice: _drop(choice, selection))
    return code if dropped.is_whole else EXIT_OUT_OF_REACH


def _count(choice: Choice, selection: Selection) -> int:
    from orchestration.cli.dlq.boxes import open_box

    found = open_box(choice).count(selection.wanted)
    return min(found, selection.limit or found)


def _drop(choice: Choice, selection: Selection) -> None:
    from orchestration.cli.dlq.boxes import open_box
    from orchestration.runner import job_lock

    workspace, job, _ = choice
    with job_lock(workspace.settings.state_directory, job.id):
        dropped = open_box(choice).drop(selection.wanted)
    click.echo(f"{job.id}: {count(dropped, 'dead letter')} dropped")


def _is_confirmed(chosen: Sequence[tuple[Choice, int]]) -> bool:
    from orchestration.cli.dlq.errors import UnconfirmedDropError

    what = ", ".join(f"{count(found, 'dead letter')} of {job.id}" for (_, job, _), found in chosen)
    if not sys.stdin.isatty():
        raise UnconfirmedDropError(
            f"nobody is there to confirm that {what} may be deleted",
            help="add --yes, or --dry-run to see first what would be deleted",
        )
    return click.confirm(f"Delete {what} for good?")
