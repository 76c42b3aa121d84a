"""`orchestrate retry cancel`: takes back retries that have not started yet."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import ExampleCommand, runner_file, runner_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.cli.retry.waits import Waiting

_SHORTEST_ID = 4
_SEE_ALL = (
    "`orchestrate retry list` shows all; a retry that has started, or that is waited for in the run"
    " that failed, is cancelled with its run, in the UI"
)


@click.command(
    "cancel",
    cls=ExampleCommand,
    examples=(
        "orchestrate retry cancel acme/airports",
        "orchestrate retry cancel 1f0c9a52",
    ),
)
@click.argument("target", metavar="RUN_ID|JOB")
@runner_option
def command(target: str) -> None:
    """Take back the retry of a run, or those of all runs of a job, that have not started yet.

    RUN_ID is the id of the run that waits, or how it begins; JOB is tenant/name. The run stays as it
    has ended. Needs nothing to be up.
    """
    from orchestration.cli.lookup import find_job, view_workspace
    from orchestration.cli.retry.errors import NoRetryWaitsError
    from orchestration.cli.retry.waits import list_waiting, open_instance

    workspace = view_workspace(runner_file())
    with open_instance(workspace, os.environ) as instance:
        chosen = choose(list_waiting(instance), target) if instance else []
        if instance is None or not chosen:
            known = {job.id for job in (*workspace.jobs, *workspace.broken_jobs)}
            if "/" in target and target not in known:
                find_job(runner_file(), target)  # which says what there is
            raise NoRetryWaitsError(f"no retry of `{target}` waits", help=_SEE_ALL)
        from orchestration.defs.waiting import cancel_wait

        for each in chosen:
            cancel_wait(instance, each.wait, [each.job])
            click.echo(
                f"attempt {each.job.attempt} of `{each.job.job_id}` after run {each.run_id[:8]} is"
                " cancelled"
            )


def choose(waiting: Sequence[Waiting], target: str) -> list[Waiting]:
    """Those of the job `tenant/name`, or of the one run whose id begins so.

    Raises:
        AmbiguousRunError: several do.
    """
    from orchestration.cli.retry.errors import AmbiguousRunError

    if "/" in target:
        return [each for each in waiting if each.job.job_id == target]
    if len(target) < _SHORTEST_ID:
        return []
    chosen = [each for each in waiting if each.run_id.startswith(target)]
    if len({each.run_id for each in chosen}) > 1:
        shown = ", ".join(sorted({each.run_id for each in chosen}))
        raise AmbiguousRunError(
            f"the ids of several runs begin with `{target}`: {shown}", help="write more of the id"
        )
    return chosen
