"""`orchestrate dlq show`: one dead letter, with what was rejected."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import ExampleCommand, format_option, runner_file, runner_option
from orchestration.cli.dlq.filters import Given, Selection
from orchestration.cli.output import show_instant, write_json
from orchestration.cli.run import complete_job

if TYPE_CHECKING:
    from orchestration.connectors.dead_letters import Letter


@click.command(
    "show",
    cls=ExampleCommand,
    examples=(
        "orchestrate dlq show 6f1d0c2ab3e4",
        "orchestrate dlq show 6f1d0c2ab3e4 --job acme/airports --format json",
    ),
)
@click.argument("letter", type=Given())
@click.option(
    "--job",
    metavar="JOB",
    type=Given(),
    shell_complete=complete_job,
    help="Look among the letters of this job only.",
)
@click.option(
    "--tenant", metavar="NAME", type=Given(), help="Look among the letters of this tenant only."
)
@format_option("text", "json")
@runner_option
def command(*, letter: str, job: str | None, tenant: str | None, style: str) -> None:
    """Show one dead letter with its record.

    LETTER is its id, or the beginning of it. This prints data, which other commands never do.
    """
    from orchestration.cli.dlq.rows import letter_row, where

    jobs = (job,) if job else ()
    selection = Selection(jobs=jobs, tenant=tenant, run=None, stage=None, limit=2, letter=letter)
    job_id, found = _find(selection)
    row = letter_row(job_id, found)
    record = found.record if found.truncated else json.loads(found.record)
    if style == "json":
        write_json({**row, "record": record})
        return
    told = {
        **row,
        "file": None,
        "position": where(found),
        "first_seen": show_instant(found.first_seen),
        "last_seen": show_instant(found.last_seen),
    }
    for name, value in told.items():
        if value not in (None, False):
            click.echo(f"{name.replace('_', ' '):<12}{value}")
    click.echo()
    click.echo(
        record if isinstance(record, str) else json.dumps(record, indent=2, ensure_ascii=False)
    )


def _find(selection: Selection) -> tuple[str, Letter]:
    from orchestration.cli.dlq.boxes import check_letter, choose_jobs, open_box, visit

    jobs = choose_jobs(runner_file(), selection).jobs
    read = visit(jobs, lambda choice: open_box(choice).read(selection.wanted))
    found = [(job.id, letter) for (_, job, _), letters in read.found for letter in letters]
    check_letter(len(found), selection)
    return found[0]
