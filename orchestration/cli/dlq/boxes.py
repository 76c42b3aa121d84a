"""The jobs that a command is for, each with its dead letters."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestration.cli.dlq.errors import (
    AmbiguousLetterError,
    NoLettersJobError,
    OtherTenantError,
    UnknownLetterError,
)
from orchestration.cli.lookup import find_job, view_workspace
from orchestration.connectors.letter_box import LetterBox
from orchestration.domain.job import ConnectorTask
from orchestration.runner import prepare

if TYPE_CHECKING:
    from pathlib import Path

    from orchestration.cli.dlq.filters import Selection
    from orchestration.domain.job import Job
    from orchestration.domain.workspace import Workspace

Choice = tuple["Workspace", "Job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The jobs that are meant, each with its workspace. `is_whole` is False if others would be, but
    their files have errors.
    """

    jobs: tuple[Choice, ...]
    is_whole: bool = True


def choose_jobs(runner_file: Path, selection: Selection) -> Chosen:
    """The connector jobs that are meant; says on stderr which are out of reach.

    Raises:
        NoLettersJobError: a command job was named.
        OtherTenantError: a job is not of the tenant that was named too, or that has no jobs.
        OrchestrationError: a job that was named does not exist or is broken.
    """
    if selection.jobs:
        named = dict.fromkeys(selection.jobs)
        return Chosen(jobs=tuple(_named(runner_file, one, selection) for one in named))
    workspace = view_workspace(runner_file)
    tenants = {job.tenant for job in (*workspace.jobs, *workspace.broken_jobs)}
    if selection.tenant and selection.tenant not in tenants:
        raise OtherTenantError(
            f"the tenant `{selection.tenant}` has no jobs",
            help=f"tenants with jobs are {', '.join(sorted(tenants)) or 'none'}",
        )
    broken = [job.id for job in workspace.broken_jobs if selection.tenant in (None, job.tenant)]
    for job_id in broken:
        click.echo(
            f"{job_id}: its file has errors, so dead letters of it are out of reach", err=True
        )
    jobs = (
        (workspace, job)
        for job in workspace.jobs
        if isinstance(job.task, ConnectorTask) and selection.tenant in (None, job.tenant)
    )
    return Chosen(jobs=tuple(jobs), is_whole=not broken)


def open_box(workspace: Workspace, job: Job) -> LetterBox:
    """The dead letters of a job, in the target that its own options and secrets lead to.

    Raises:
        OrchestrationError: a variable is missing, or the options cannot be meant.
    """
    spec = prepare(job, workspace=workspace, environ=os.environ, run_id="dlq", attempt=1)
    return LetterBox.of((spec.stdin or b"").decode())


def check_letter(found: int, selection: Selection) -> None:
    """See that the beginning of an id, if one was given, means one letter.

    Raises:
        UnknownLetterError: no letter has an id that begins so.
        AmbiguousLetterError: several have.
    """
    if not selection.letter or found == 1:
        return
    if not found:
        raise UnknownLetterError(
            f"no dead letter has an id that begins with `{selection.letter}`",
            help="`orchestrate dlq list` shows them",
        )
    raise AmbiguousLetterError(
        f"several dead letters have an id that begins with `{selection.letter}`",
        help="write more of it, or name the job with --job",
    )


def _named(runner_file: Path, reference: str, selection: Selection) -> Choice:
    workspace, job = find_job(runner_file, reference)
    if not isinstance(job.task, ConnectorTask):
        raise NoLettersJobError(
            f"`{job.id}` is a command job and has no dead letters",
            help="what its command rejects is for the command to keep",
            location=str(job.location),
        )
    if selection.tenant not in (None, job.tenant):
        raise OtherTenantError(
            f"the job `{job.id}` is not of tenant `{selection.tenant}`",
            help="leave out `--tenant`, or name a job of that tenant",
        )
    return workspace, job
