"""The runs of the workspace's instance that wait for a retry."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from orchestration.defs.waiting import Instance, WaitingJob, WaitingRun
    from orchestration.domain.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A job of a run that waits, and that nothing has repeated yet. `hold` says why it is left to
    Dagster, if it is.
    """

    wait: WaitingRun
    job: WaitingJob
    hold: str = ""

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.wait.run_id

    @property
    def due(self) -> datetime:
        """When its retry is."""
        return self.wait.due


@contextmanager
def open_instance(workspace: Workspace, environ: Mapping[str, str]) -> Generator[Instance | None]:
    """The instance of the workspace, be it up or not; None where nothing has ever been up.

    Raises:
        DatabaseError: its database does not answer.
    """
    from orchestration.cli.dev.database import check_database
    from orchestration.defs.instance import find_dagster_home

    home = find_dagster_home(workspace.settings.state_directory, environ)
    if not (home / "dagster.yaml").is_file():
        yield None
        return
    check_database(workspace.settings, environ)
    from orchestration.defs.waiting import open_at

    with open_at(home) as instance:
        yield instance


def list_waiting(instance: Instance) -> list[Waiting]:
    """All of them, the first due first."""
    from orchestration.defs.waiting import find_waiting

    now, may_crash = datetime.now(UTC), instance.run_retries_enabled
    return [
        Waiting(wait=wait, job=job, hold=wait.find_crash(now) if may_crash else "")
        for wait in find_waiting(instance)
        for job in wait.open_jobs()
    ]
