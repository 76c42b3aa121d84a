"""`orchestrate schedule add`: a new entry of runner.yaml."""

from __future__ import annotations

import click

from orchestration.cli.common import ExampleCommand, runner_file, runner_option
from orchestration.cli.schedule.new_entry import ELSEWHERE, NewEntry, refuse_elsewhere


@click.command(
    "add",
    cls=ExampleCommand,
    examples=(
        'orchestrate schedule add --job acme/airports --cron "0 2 * * *" --timezone Europe/Berlin',
        "orchestrate schedule add --job acme/airports --interval-seconds 5400 --dry-run",
        "orchestrate schedule add --job globex/cities --on-asset globex/countries",
    ),
)
@click.option(
    "--job",
    "--pipeline",
    "job",
    metavar="JOB",
    required=True,
    help="The job that runs: `tenant/name`, or the path of its file.",
)
@click.option("--name", metavar="NAME", help="Its name. By default made from the job's.")
@click.option(
    "--cron", metavar="EXPR", multiple=True, help="Fires by a cron expression; may be repeated."
)
@click.option(
    "--interval-seconds",
    metavar="N",
    type=click.IntRange(min=1),
    help="Fires every N seconds, start to start, on a grid in UTC.",
)
@click.option(
    "--after-completion-seconds",
    metavar="N",
    type=click.IntRange(min=1),
    help="Fires N seconds after each run of the job has ended.",
)
@click.option("--continuous", is_flag=True, help="Fires again as soon as a run has ended.")
@click.option("--once", metavar="GENERATION", help="Fires one time for each new GENERATION.")
@click.option(
    "--on-asset", metavar="TENANT/ASSET", help="Fires when another job has updated its asset."
)
@click.option("--timezone", metavar="ZONE", help="The IANA zone of --cron. By default UTC.")
@click.option("--start", metavar="INSTANT", help="Does not fire before this date or date-time.")
@click.option("--end", metavar="INSTANT", help="Does not fire from this date or date-time on.")
@click.option(
    "--concurrency",
    metavar="N",
    type=click.IntRange(min=1),
    help="How many runs of the job may be under way at once. By default 1.",
)
@click.option(
    "--skip-if-running",
    is_flag=True,
    help="Fires nothing while that many runs are under way or queued, in place of queueing one.",
)
@click.option(
    "--max-consecutive-errors",
    metavar="N",
    type=click.IntRange(min=1),
    help="Pauses the schedule after N failed runs of the job in a row. By default it never is.",
)
@click.option("--vars", metavar="NAME=VALUE", multiple=True, help=ELSEWHERE["vars"].short)
@click.option("--max-retries", metavar="N", help=ELSEWHERE["max_retries"].short)
@click.option("--notify-on-failure", metavar="URL", help=ELSEWHERE["notify_on_failure"].short)
@click.option("--dry-run", is_flag=True, help="Show the change of runner.yaml, and write nothing.")
@runner_option
def command(*, job: str, name: str | None, dry_run: bool, **options: object) -> None:
    """Add a schedule to runner.yaml.

    Exactly one of --cron, --interval-seconds, --after-completion-seconds, --continuous, --once and
    --on-asset says when it fires. The new file is checked before it is written: a schedule that
    would be broken is refused, and the file stays as it is.
    """
    from orchestration.cli.schedule.adding import add

    refuse_elsewhere(options, job)
    add(runner_file(), NewEntry.of(job, name, options), dry_run=dry_run)
