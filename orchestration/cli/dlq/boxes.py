"""The jobs that a command is for, each with its dead letters."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import click

from orchestration.cli.dlq.errors import (
    AmbiguousLetterError,
    NoLettersJobError,
    OtherTenantError,
    UnknownLetterError,
)
from orchestration.cli.lookup import check_tenant, find_job, view_workspace
from orchestration.connectors.letter_box import LetterBox
from orchestration.domain.job import ConnectorTask, Job
from orchestration.domain.workspace import Workspace
from orchestration.errors import OrchestrationError
from orchestration.runner.preparation import prepare_target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from orchestration.cli.dlq.filters import Selection

Choice = tuple[Workspace, Job, ConnectorTask]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The connector jobs that are meant, each with its workspace and its task. `is_whole` is False if
    others would be, but their files have errors.
    """

    jobs: tuple[Choice, ...]
    is_whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Visited(Generic[_T]):
    """What was made of the letters of each job, without the jobs that could not be visited: then
    `is_whole` is False.
    """

    found: tuple[tuple[Choice, _T], ...]
    is_whole: bool


def choose_jobs(runner_file: Path, selection: Selection) -> Chosen:
    """The connector jobs that are meant; says on stderr which are out of reach.

    Raises:
        NoLettersJobError: a command job was named.
        OtherTenantError: a job is not of the tenant that was named too.
        UnknownTenantError: there is no tenant of that name.
        OrchestrationError: a job that was named does not exist or is broken.
    """
    if selection.jobs:
        named = dict.fromkeys(selection.jobs)
        return Chosen(jobs=tuple(_named(runner_file, one, selection) for one in named))
    workspace = view_workspace(runner_file)
    check_tenant(workspace, selection.tenant)
    broken = [job.id for job in workspace.broken_jobs if selection.tenant in (None, job.tenant)]
    for job_id in broken:
        click.echo(
            f"{job_id}: its file has errors, so dead letters of it are out of reach", err=True
        )
    jobs = (
        (workspace, job, job.task)
        for job in workspace.jobs
        if isinstance(job.task, ConnectorTask) and selection.tenant in (None, job.tenant)
    )
    return Chosen(jobs=tuple(jobs), is_whole=not broken)


def visit(choices: Sequence[Choice], act: Callable[[Choice], _T]) -> Visited[_T]:
    """What `act` makes of the letters of each job. A job whose letters are out of reach hides no
    other one: that is said on stderr.
    """
    found: list[tuple[Choice, _T]] = []
    for choice in choices:
        try:
            found.append((choice, act(choice)))
        except OrchestrationError as error:
            click.echo(f"{choice[1].id}: {error}", err=True)
    return Visited(found=tuple(found), is_whole=len(found) == len(choices))


def open_box(choice: Choice) -> LetterBox:
    """The dead letters of a job, in the target that its own options and secrets lead to. Nothing is
    asked of its source.

    Raises:
        OrchestrationError: a variable is missing, or the options cannot be meant.
    """
    workspace, job, task = choice
    spec = prepare_target(job, task, workspace=workspace, environ=os.environ)
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
    return workspace, job, job.task
