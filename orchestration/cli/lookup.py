"""Finds the job that a person names, reading as few files as possible."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.cli.common import read_workspace
from orchestration.domain.problem import format_problem
from orchestration.errors import BrokenJobError, UnknownJobError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestration.domain.job import Job
    from orchestration.domain.workspace import Workspace

_SUFFIXES = (".yaml", ".yml")


def find_job(runner_file: Path, reference: str) -> tuple[Workspace, Job]:
    """The job with the id `tenant/name` or in the job file of that path, and its workspace, of
    which other job files are read only if the job is not where its id says.

    Raises:
        UnknownJobError: there is no such job.
        BrokenJobError: its file has errors; the message has them all.
    """
    if reference.endswith(_SUFFIXES):
        return _job_in_file(runner_file, Path(reference).absolute())
    for suffix in _SUFFIXES:
        usual = runner_file.parent / "jobs" / f"{reference}{suffix}"
        if usual.is_file():
            workspace = read_workspace(runner_file, only=[usual])
            job = workspace.job(reference)
            if job:
                return workspace, job
    workspace = read_workspace(runner_file)
    return workspace, _pick(workspace, reference)


def _job_in_file(runner_file: Path, file: Path) -> tuple[Workspace, Job]:
    if not file.is_file():
        raise UnknownJobError(
            f"the job file `{file}` does not exist",
            help="name a job file, or a job as `tenant/name`; `orchestrate list jobs` shows all",
        )
    workspace = read_workspace(runner_file, only=[file])
    for job in (*workspace.jobs, *workspace.broken_jobs):
        if (workspace.root / job.location.file).resolve() == file.resolve():
            return workspace, _pick(workspace, job.id)
    raise UnknownJobError(
        f"`{file}` is no job file of the workspace {runner_file}",
        help=f"job files are the YAML files in {runner_file.parent / 'jobs'} and those that"
        " schedules name",
    )


def _pick(workspace: Workspace, job_id: str) -> Job:
    job = workspace.job(job_id)
    if job:
        return job
    for broken in workspace.broken_jobs:
        if broken.id == job_id:
            found = "\n".join(format_problem(p) for p in broken.problems if p.is_error)
            raise BrokenJobError(
                f"the job `{job_id}` cannot run, because its file has errors:\n{found}",
                help="correct the file; `orchestrate validate` checks it again",
            )
    ids = [job.id for job in (*workspace.jobs, *workspace.broken_jobs)]
    raise UnknownJobError(f"there is no job `{job_id}`", help=_suggest(job_id, ids))


def _suggest(job_id: str, ids: Iterable[str]) -> str:
    close = difflib.get_close_matches(job_id, ids, n=1)
    return (f"did you mean `{close[0]}`? " if close else "") + "`orchestrate list jobs` shows all"
