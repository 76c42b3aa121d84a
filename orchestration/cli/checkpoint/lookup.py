"""The checkpoints of the job that a person names, and how a version is told."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from orchestration.cli.checkpoint.errors import ConnectorCheckpointError, NoCheckpointError
from orchestration.cli.lookup import find_job
from orchestration.domain.job import ConnectorTask
from orchestration.runner import job_lock
from orchestration.runner.checkpoints import open_checkpoints

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from orchestration.runner.checkpoints import Checkpoints, Version


class VersionRow(TypedDict):
    """A version as scripts read it; keys and order are an interface. `digest` is null for a reset,
    `run_id` and `attempt` for what was set by hand, `stored_at` where it is not known.
    """

    version: int
    stored_at: str | None
    run_id: str | None
    attempt: int | None
    size_bytes: int
    digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The checkpoints of a job, and where its lock is."""

    job_id: str
    checkpoints: Checkpoints
    state_directory: Path

    def history(self) -> tuple[Version, ...]:
        """The versions there are, newest first.

        Raises:
            NoCheckpointError: there are none.
        """
        versions = self.checkpoints.history()
        if not versions:
            raise NoCheckpointError(
                f"`{self.job_id}` has no checkpoint",
                help="it has one once its command has left a file at ORCHESTRATE_CHECKPOINT_NEXT, and"
                " succeeded",
            )
        return versions

    @contextmanager
    def while_it_rests(self) -> Generator[None]:
        """Keep the job from running meanwhile: its run would store a checkpoint when it ends.

        Raises:
            JobAlreadyRunningError: an attempt of it is under way.
        """
        with job_lock(self.state_directory, self.job_id):
            yield


def find_checkpoints(runner_file: Path, reference: str) -> Found:
    """The checkpoints of the command job with that id, or in that job file.

    Raises:
        ConnectorCheckpointError: it is a connector job.
        OrchestrationError: there is no such job, or its file is broken.
    """
    workspace, job = find_job(runner_file, reference)
    if isinstance(job.task, ConnectorTask):
        raise ConnectorCheckpointError(
            f"`{job.id}` is a connector job: what it remembers is in its target"
            f" `{job.task.target.connector}`, committed with the data",
            help=f"`orchestrate run {job.id} --full-refresh` loads everything anew",
            location=str(job.location),
        )
    return Found(
        job_id=job.id,
        checkpoints=open_checkpoints(workspace.settings, job.id),
        state_directory=workspace.settings.state_directory,
    )


def version_row(version: Version) -> VersionRow:
    """The version as scripts read it."""
    origin = version.origin
    return {
        "version": version.number,
        "stored_at": version.stored_at.isoformat() if version.stored_at else None,
        "run_id": origin.run_id if origin else None,
        "attempt": origin.attempt if origin else None,
        "size_bytes": version.size,
        "digest": version.digest,
    }
