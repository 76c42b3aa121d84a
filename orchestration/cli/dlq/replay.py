"""`orchestrate dlq replay`: loads dead letters again."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, TypedDict

import click

from orchestration.cli.common import ExampleCommand, format_option, runner_file, runner_option
from orchestration.cli.dlq.filters import Selection, letter_argument, selection_options
from orchestration.cli.output import count, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.cli.dlq.boxes import Choice
    from orchestration.domain.events import ConnectorEvent, JsonValue
    from orchestration.domain.outcome import AttemptResult
    from orchestration.runner import Stream

EXIT_RETURNED = 1
EXIT_FAILED = 2


class ReplayRow(TypedDict):
    """What came of the letters of one job, as scripts read it; keys and order are an interface.
    `duplicates` are letters that went because their record had come before, `outdated` ones because
    a newer record with their key has come. `cut_off` are those that cannot be replayed, since their
    record was too long to be kept. `error` is empty unless nothing was changed.
    """

    job: str
    run_id: str
    letters: int
    loaded: int
    duplicates: int
    outdated: int
    returned: int
    cut_off: int
    error: str


@click.command(
    "replay",
    cls=ExampleCommand,
    examples=(
        "orchestrate dlq replay --job acme/airports --dry-run",
        "orchestrate dlq replay --tenant acme --stage validate",
    ),
)
@letter_argument
@selection_options
@click.option("--limit", type=click.IntRange(min=1), help="Replay at most so many of each job.")
@click.option("--dry-run", is_flag=True, help="Say what would be loaded, and change nothing.")
@click.option(
    "--mode",
    type=click.Choice(["sink"]),
    default="sink",
    hidden=True,  # the spelling of another product for the only way there is
    expose_value=False,
)
@format_option("text", "json")
@runner_option
def command(
    *,
    letter: str | None,
    jobs: tuple[str, ...],
    tenant: str | None,
    run: str | None,
    stage: str | None,
    limit: int | None,
    dry_run: bool,
    style: str,
) -> int:
    """Load dead letters again, through the target of their own job.

    LETTER is the id of one, or its beginning. Each record is read and checked as the job's files say
    now. What is good goes to the table and its letter goes away, in one transaction; what is not
    goes back with one failure more. So it can be stopped at any moment and repeated. Those that were
    seen last come last. With a primary key, a letter goes too if the source has brought a newer
    record with its key. Exits with 1 if letters went back or cannot be replayed, and with 2 if a job
    failed, whose letters then stay as they were.
    """
    from orchestration.cli.dlq.boxes import check_letter, choose_jobs, open_box, visit
    from orchestration.runner import Stopped, stop_on_signals

    selection = Selection(
        jobs=jobs, tenant=tenant, run=run, stage=stage, limit=limit, letter=letter
    )
    rows: list[ReplayRow] = []
    chosen = choose_jobs(runner_file(), selection)
    if letter:
        counts = visit(chosen.jobs, lambda choice: open_box(choice).count(selection.wanted))
        check_letter(sum(found for _, found in counts.found), selection)
    try:
        with stop_on_signals():
            for choice in chosen.jobs:
                row = _replay(choice, selection, dry_run=dry_run)
                if row is not None:
                    rows.append(row)
                    if style == "text":
                        _tell(row, dry_run=dry_run)
    except Stopped as stopped:
        click.echo("stopped; what was not committed is as it was", err=True)
        return 128 + stopped.signum
    if style == "json":
        write_json(rows)
    elif not rows:
        click.echo("There are no dead letters to replay.")
    if any(row["error"] for row in rows) or not chosen.is_whole:
        return EXIT_FAILED
    return EXIT_RETURNED if any(row["returned"] or row["cut_off"] for row in rows) else 0


def _replay(choice: Choice, selection: Selection, *, dry_run: bool) -> ReplayRow | None:
    """What came of the letters of one job; None if it has none that are meant."""
    from orchestration.cli.dlq.boxes import open_box
    from orchestration.errors import OrchestrationError

    _, job, _ = choice
    run_id = str(uuid.uuid4())
    try:
        box = open_box(choice)
        if not box.count(selection.wanted):
            return None
        cut_off = box.count_cut_off(selection.wanted)
        result = _run(choice, selection, run_id, dry_run=dry_run)
    except OrchestrationError as error:
        click.echo(f"{job.id}: {error}", err=True)
        return _row(job.id, run_id, {}, error=error.reason)
    if result.landed:
        return _row(job.id, run_id, result.metrics, cut_off=cut_off)
    return _row(job.id, run_id, {}, cut_off=cut_off, error=result.error_text or result.reason)


def _run(choice: Choice, selection: Selection, run_id: str, *, dry_run: bool) -> AttemptResult:
    from orchestration.domain.records import Replay
    from orchestration.runner import job_lock, prepare, run_attempt

    workspace, job, _ = choice
    with job_lock(workspace.settings.state_directory, job.id):
        spec = prepare(
            job,
            workspace=workspace,
            environ=os.environ,
            run_id=run_id,
            attempt=1,
            replay=Replay(wanted=selection.wanted, dry_run=dry_run),
        )
        return run_attempt(spec, attempt=1, on_output=_pass_on, on_event=_ignore)


def _row(
    job_id: str,
    run_id: str,
    metrics: Mapping[str, JsonValue],
    *,
    cut_off: int = 0,
    error: str = "",
) -> ReplayRow:
    def number(name: str) -> int:
        value = metrics.get(name, 0)
        return value if isinstance(value, int) else 0

    duplicates, outdated = number("records_duplicate"), number("records_outdated")
    return {
        "job": job_id,
        "run_id": run_id,
        "letters": number("records_extracted"),
        "loaded": number("records_valid") - duplicates - outdated,
        "duplicates": duplicates,
        "outdated": outdated,
        "returned": number("records_invalid"),
        "cut_off": cut_off,
        "error": error,
    }


def _tell(row: ReplayRow, *, dry_run: bool) -> None:
    if row["error"]:
        click.echo(f"{row['job']}: nothing was changed")
        return
    would = "would be " if dry_run else ""
    text = (
        f"{row['job']}: {row['loaded']:,} of {count(row['letters'], 'dead letter')} {would}loaded"
    )
    if row["duplicates"]:
        text += f", {row['duplicates']:,} {would}dropped as duplicates"
    if row["outdated"]:
        text += f", {row['outdated']:,} {would}dropped as outdated (a newer record has the key)"
    if row["returned"]:
        text += f", {row['returned']:,} {'would go' if dry_run else 'went'} back"
    if row["cut_off"]:
        text += f", {row['cut_off']:,} cannot be replayed (cut off at 256 KiB)"
    click.echo(text)


def _pass_on(stream: Stream, line: str) -> None:
    del stream  # stdout is for the result
    click.echo(line, err=True)


def _ignore(event: ConnectorEvent) -> None:
    """The result has what the last event says."""
