"""Finds the job that a person names, reading as few files as possible."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.cli.errors import BrokenRunnerError, UnknownTenantError
from orchestration.config import LastGood, load_workspace
from orchestration.connectors.registry import CATALOG
from orchestration.domain.problem import format_problem
from orchestration.errors import BrokenJobError, UnknownJobError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from orchestration.domain.job import Job
    from orchestration.domain.workspace import Workspace

_SUFFIXES = (".yaml", ".yml")


class _ReadOnly(LastGood):
    """Last good versions, for one who reads single files and must not forget the others."""

    def write(self, texts: Mapping[str, str]) -> None:
        """Keeps what is kept."""


def find_job(runner_file: Path, reference: str) -> tuple[Workspace, Job]:
    """The job with the id `tenant/name` or in the job file of that path, and its workspace, of
    which other job files are read only if the job is not where its id says. The last good version
    of runner.yaml serves where it is broken now.

    Raises:
        UnknownJobError: there is no such job.
        BrokenJobError: its file has errors; the message has them all.
        BrokenRunnerError: runner.yaml has errors, and no last good version serves.
    """
    if reference.endswith(_SUFFIXES):
        return _job_in_file(runner_file, Path(reference).absolute())
    for suffix in _SUFFIXES:
        usual = runner_file.parent / "jobs" / f"{reference}{suffix}"
        if usual.is_file():
            workspace = _read(runner_file, only=[usual])
            if workspace.job(reference):
                return workspace, _pick(workspace, reference)
    workspace = _read(runner_file)
    return workspace, _pick(workspace, reference)


def view_workspace(runner_file: Path, *, only: Collection[Path] | None = None) -> Workspace:
    """The workspace as a code server serves it, for one who only looks: last good versions serve,
    and none is kept. With `only`, of the job files just these are read.
    """
    return load_workspace(
        runner_file,
        environ=os.environ,
        catalog=CATALOG,
        only=only,
        last_good=_ReadOnly.of(runner_file, os.environ),
    )


def check_tenant(workspace: Workspace, name: str | None) -> None:
    """See that a tenant of which something shall be shown exists; None stands for all.

    Raises:
        UnknownTenantError: it does not.
    """
    jobs = (*workspace.jobs, *workspace.broken_jobs)
    known = {*workspace.tenants, *(job.tenant for job in jobs)}
    if name is not None and name not in known:
        raise UnknownTenantError(
            f"there is no tenant `{name}`",
            help=f"the tenants are {', '.join(sorted(known))}"
            if known
            else "neither runner.yaml nor a job names a tenant",
        )


def _read(runner_file: Path, *, only: Collection[Path] | None = None) -> Workspace:
    workspace = view_workspace(runner_file, only=only)
    if not workspace.is_sound:
        raise BrokenRunnerError(
            "runner.yaml has errors, so it is not known what it says of tenants and settings:\n"
            f"{_errors_in(workspace, runner_file.name)}",
            help="correct the file; `orchestrate validate` checks it again",
        )
    return workspace


def _job_in_file(runner_file: Path, file: Path) -> tuple[Workspace, Job]:
    if not file.is_file():
        raise UnknownJobError(
            f"the job file `{file}` does not exist",
            help="name a job file, or a job as `tenant/name`; `orchestrate list jobs` shows all",
        )
    workspace = _read(runner_file, only=[file])
    for job in (*workspace.jobs, *workspace.broken_jobs):
        if (workspace.root / job.location.file).resolve() == file.resolve():
            return workspace, _pick(workspace, job.id)
    raise UnknownJobError(
        f"`{file}` is no job file of the workspace {runner_file}",
        help=f"job files are the YAML files in {runner_file.parent / 'jobs'} and those that"
        " schedules name",
    )


def _pick(workspace: Workspace, job_id: str) -> Job:
    """The job with that id, as its file is now: who names a job does not mean an older version."""
    jobs = {job.id: job for job in (*workspace.broken_jobs, *workspace.jobs)}
    if job_id not in jobs:
        raise UnknownJobError(f"there is no job `{job_id}`", help=_suggest(job_id, jobs))
    job = workspace.job(job_id)
    if job is None or job.stale:
        found = _errors_in(workspace, jobs[job_id].location.file)
        raise BrokenJobError(
            f"the job `{job_id}` cannot run, because its file has errors:\n{found}",
            help="correct the file; `orchestrate validate` checks it again",
        )
    return job


def _errors_in(workspace: Workspace, file: str) -> str:
    found = [p for p in workspace.problems if p.is_error and p.location.file == file]
    return "\n".join(format_problem(problem) for problem in found)


def _suggest(job_id: str, ids: Iterable[str]) -> str:
    close = difflib.get_close_matches(job_id, ids, n=1)
    return (f"did you mean `{close[0]}`? " if close else "") + "`orchestrate list jobs` shows all"
