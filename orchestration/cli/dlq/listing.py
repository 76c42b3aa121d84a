"""`orchestrate dlq list`: the dead letters there are."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import ExampleCommand, format_option, runner_file, runner_option
from orchestration.cli.dlq.filters import Selection, selection_options
from orchestration.cli.output import count, show_instant, write_json, write_table

if TYPE_CHECKING:
    from orchestration.cli.dlq.boxes import Choice
    from orchestration.connectors.dead_letters import Letter

_HEADER = ("id", "job", "stage", "where", "failures", "last seen", "reason")
EXIT_UNREADABLE = 2


@click.command(
    "list",
    cls=ExampleCommand,
    examples=(
        "orchestrate dlq list",
        "orchestrate dlq list --job acme/airports --stage validate",
        "orchestrate dlq list --tenant acme --limit 1000 --format json",
    ),
)
@selection_options
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="List at most so many.",
)
@format_option("table", "json")
@runner_option
def command(
    *,
    jobs: tuple[str, ...],
    tenant: str | None,
    run: str | None,
    stage: str | None,
    limit: int,
    style: str,
) -> int:
    """List dead letters, those that were seen last first.

    Says of each where its record was, why it was rejected and how often, and nothing of the record
    itself. The letters of a job whose file has errors, or whose target cannot be read, are missing:
    that is said, and the exit code is 2.
    """
    from orchestration.cli.dlq.boxes import choose_jobs, visit
    from orchestration.cli.dlq.rows import letter_row

    selection = Selection(jobs=jobs, tenant=tenant, run=run, stage=stage, limit=limit)
    chosen = choose_jobs(runner_file(), selection)
    read = visit(chosen.jobs, lambda choice: _read(choice, selection))
    total = sum(number for _, (number, _) in read.found)
    found = [(job.id, letter) for (_, job, _), (_, letters) in read.found for letter in letters]
    shown = heapq.nlargest(limit, found, key=lambda pair: pair[1].last_seen)
    if style == "json":
        rows = [letter_row(job_id, letter) for job_id, letter in shown]
        write_json({"total": total, "letters": rows})
    else:
        _write_rows(shown, total)
    return 0 if chosen.is_whole and read.is_whole else EXIT_UNREADABLE


def _read(choice: Choice, selection: Selection) -> tuple[int, list[Letter]]:
    from orchestration.cli.dlq.boxes import open_box

    box = open_box(choice)
    return box.count(selection.wanted), box.read(selection.wanted)


def _write_rows(shown: list[tuple[str, Letter]], total: int) -> None:
    from orchestration.cli.dlq.rows import SHORT_ID, where

    rows = [
        (
            letter.id[:SHORT_ID],
            job_id,
            letter.stage.value,
            where(letter),
            str(letter.failures),
            show_instant(letter.last_seen),
            letter.reason,
        )
        for job_id, letter in shown
    ]
    write_table(rows, header=_HEADER, empty="There are no dead letters.")
    if total > len(rows):
        click.echo(f"{len(rows):,} of {count(total, 'dead letter')}; --limit shows more")
