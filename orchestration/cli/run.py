"""`orchestrate run`: one job, in this process, with the exit code of its outcome."""

from __future__ import annotations

import os
import re
import shlex
import uuid
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import ExampleCommand, read_workspace, runner_file, runner_option
from orchestration.cli.output import styled_problem, write_json

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from orchestration.cli.narration import Narrator
    from orchestration.domain.job import Job
    from orchestration.domain.workspace import Workspace
    from orchestration.runner import Ledger, ProcessSpec

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to run, and how."""

    workspace: Workspace
    job: Job
    overrides: dict[str, str] = field(repr=False)
    full_refresh: bool

    def prepare(self, attempt: int, *, run_id: str) -> ProcessSpec:
        """The process of attempt `attempt`."""
        from orchestration.runner import prepare

        return prepare(
            self.job,
            workspace=self.workspace,
            environ=os.environ,
            run_id=run_id,
            attempt=attempt,
            traceparent=os.environ.get("TRACEPARENT"),
            full_refresh=self.full_refresh,
            overrides=self.overrides,
        )


def complete_job(ctx: click.Context, _: click.Parameter, typed: str) -> list[CompletionItem]:
    """The ids of jobs that begin with what was typed, for the shell."""
    from click.shell_completion import CompletionItem

    with ctx:
        jobs = read_workspace(runner_file()).jobs
    return [CompletionItem(job.id) for job in jobs if job.id.startswith(typed)]


def _parse_assignments(
    ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    assignments = dict[str, str]()
    for value in values:
        match = _ASSIGNMENT.fullmatch(value)
        if not match:
            name = value.split("=", maxsplit=1)[0]
            raise click.BadParameter(f"`{name}` is no NAME=VALUE", ctx=ctx, param=parameter)
        assignments[match[1]] = match[2]
    return assignments


@click.command(
    "run",
    cls=ExampleCommand,
    examples=(
        "orchestrate run acme/airports",
        "orchestrate run jobs/acme/airports.yaml --retry",
        "orchestrate run acme/airports --env LIMIT=100 --dry-run",
    ),
)
@click.argument("job", shell_complete=complete_job)
@click.option(
    "--retry", is_flag=True, help="Repeat failed attempts as the job's retry_config says."
)
@click.option(
    "--env",
    "overrides",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_parse_assignments,
    help="Set a variable for this run, before all other places; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be started, and start nothing.")
@click.option("--full-refresh", is_flag=True, help="Load everything again, not only what is new.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people, or one JSON object a line.",
)
@runner_option
def command(
    job: str,
    overrides: dict[str, str],
    log_format: str,
    *,
    retry: bool,
    dry_run: bool,
    full_refresh: bool,
) -> int:
    """Run one job now, in this process.

    JOB is tenant/name, or the path of a job file. Exits with 0 if the job succeeded, 1 if it
    succeeded in part, 2 if it failed, and 130 or 143 if it was stopped. A job that is running
    already is not started a second time.
    """
    from orchestration.cli.lookup import find_job

    workspace, found = find_job(runner_file(), job)
    order = Order(workspace=workspace, job=found, overrides=overrides, full_refresh=full_refresh)
    _tell_runner_problems(workspace)
    if dry_run:
        _write_plan(order, as_json=log_format == "json")
        return 0
    return _run(order, retry=retry, as_json=log_format == "json")


def _tell_runner_problems(workspace: Workspace) -> None:
    """The run goes on under the last good runner.yaml, but not silently."""
    found = [p for p in workspace.problems if p.location.file == workspace.runner_file.name]
    if any(problem.is_error for problem in found):
        for problem in found:
            click.echo(f"{styled_problem(problem)}\n", err=True)


def _run(order: Order, *, retry: bool, as_json: bool) -> int:
    from orchestration.cli.narration import JsonNarrator, TextNarrator
    from orchestration.domain.chain import Chain
    from orchestration.domain.outcome import exit_code_of
    from orchestration.runner import Stopped, job_lock, run_with_retries, stop_on_signals

    narrator = JsonNarrator() if as_json else TextNarrator()
    run_id = str(uuid.uuid4())
    job, settings = order.job, order.workspace.settings
    if not retry:
        job = replace(job, retry=replace(job.retry, max_retries=0))
    try:
        with stop_on_signals(), job_lock(settings.state_directory, job.id):
            result = run_with_retries(
                Chain.of(job, settings, run_id),
                partial(order.prepare, run_id=run_id),
                on_output=narrator.output,
                on_event=narrator.event,
                on_log=narrator.log,
                ledger=_open_ledger(order.workspace, job, narrator),
            )
    except Stopped as stopped:
        narrator.cancelled(job.id, stopped)
        return 128 + stopped.signum
    narrator.end(job.id, result)
    return exit_code_of(result)


def _open_ledger(workspace: Workspace, job: Job, narrator: Narrator) -> Ledger | None:
    """What other runs of the tenant have done with the connector, where that matters to the job."""
    has_budget = job.retry.budget is not None and job.retry.max_retries > 0
    if job.breaker is None and not has_budget:
        return None
    from orchestration.cli.holds import UNCOUNTED, find_ledger
    from orchestration.observability import ledger_unavailable

    ledger = find_ledger(workspace, os.environ)
    if ledger is None:
        narrator.log(ledger_unavailable(job.id, UNCOUNTED))
    return ledger


def _write_plan(order: Order, *, as_json: bool) -> None:
    """Shows the process without values that may be secret: texts as the files give them, and the
    names of variables.
    """
    from orchestration.domain.chain import Chain
    from orchestration.runner import limit_timeout

    chain = Chain.of(order.job, order.workspace.settings, run_id="dry-run")
    spec = limit_timeout(order.prepare(1, run_id=chain.run_id), chain.run_timeout)
    argv = plain_argv(order.job, spec)
    names = sorted(spec.environ)
    timeout = spec.timeout.total_seconds() if spec.timeout else None
    if as_json:
        plan = {
            "job": order.job.id,
            "argv": list(argv),
            "environment": names,
            "working_directory": str(spec.working_directory),
            "timeout_seconds": timeout,
            "grace_period_seconds": spec.grace_period.total_seconds(),
        }
        write_json(plan)
        return
    rows = {
        "job": f"{order.job.id}, {order.job.location}",
        "command": shlex.join(argv),
        "folder": str(spec.working_directory),
        "variables": ", ".join(names),
        "timeout": f"{timeout:g} s" if timeout else "none",
        "grace period": f"{spec.grace_period.total_seconds():g} s",
    }
    for name, text in rows.items():
        click.echo(f"{name:<14}{text}")


def plain_argv(job: Job, spec: ProcessSpec) -> tuple[str, ...]:
    """The argv with references as the file writes them: what they stand for may be secret."""
    from orchestration.domain.job import CommandTask

    return job.task.command if isinstance(job.task, CommandTask) else spec.argv
