"""The workspace: everything that one `runner.yaml` and its job files say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from orchestration.domain.job import BrokenJob, Job
from orchestration.domain.limits import Priority
from orchestration.domain.problem import Problem
from orchestration.domain.schedule import Schedule
from orchestration.domain.secrets import SecretSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """What `runner.tenants` says of one tenant. `concurrency` is how many of its runs may be under
    way at once; `env` goes to each of its child processes, and may hold `${NAME}`. `secrets` is
    where such a name is looked up first; None where the environment of the process is all there is.
    """

    name: str
    concurrency: int
    priority: Priority = Priority.NORMAL
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: SecretSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DevService:
    """A helper process that `orchestrate dev` starts beside everything else, such as a local server.

    `command` is argv and may hold `${NAME}`; `working_directory` is absolute.
    """

    name: str
    command: tuple[str, ...]
    working_directory: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of `runner.yaml` beside schedules and tenants.

    `max_concurrent_runs` limits all runs of the instance; None leaves Dagster's default.
    `connector_limits` is how many runs with a connector at either end may be under way at once.
    `state_directory` is absolute. `postgres_url` names the environment variable that holds the URL
    of the database of the Dagster instance; None keeps it in SQLite. `graceful_shutdown_timeout` is
    how long `orchestrate up` waits for runs before it cancels them. A retry that is due later than
    `retry_in_run` is a new run. `run_timeout` is the longest that a run may take whose job does not
    say. `checkpoint_url` is where the checkpoints of command jobs are kept; None stands for a
    folder in `state_directory`.
    """

    state_directory: Path
    concurrency_per_tenant: int = 1
    max_concurrent_runs: int | None = None
    connector_limits: Mapping[str, int] = field(default_factory=dict[str, int])
    postgres_url: str | None = None
    graceful_shutdown_timeout: timedelta = timedelta(seconds=30)
    retry_in_run: timedelta = timedelta(seconds=60)
    run_timeout: timedelta = timedelta(hours=24)
    checkpoint_url: str | None = None
    dev_services: tuple[DevService, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Everything that the files say, resolved, with everything that is wrong with them.

    `root` is the folder of `runner_file`; both are absolute. A job that is right is in `jobs`, one
    that is not in `broken_jobs`: none is ever in neither. `problems` holds all problems of all
    files in reading order, those of broken jobs too. `watched` are all files that were read.
    `is_sound` is False where runner.yaml has errors beside those of its schedules and no last good
    version of it serves: what it says of tenants and settings is not known then.
    """

    root: Path
    runner_file: Path
    settings: Settings
    jobs: tuple[Job, ...] = ()
    broken_jobs: tuple[BrokenJob, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    tenants: Mapping[str, Tenant] = field(default_factory=dict[str, Tenant])
    problems: tuple[Problem, ...] = ()
    watched: tuple[Path, ...] = ()
    is_sound: bool = True

    @property
    def has_errors(self) -> bool:
        """Whether any file has a problem that is an error."""
        return any(problem.is_error for problem in self.problems)

    def job(self, job_id: str) -> Job | None:
        """The healthy job with that id, None if there is none."""
        return next((job for job in self.jobs if job.id == job_id), None)

    def schedules_of(self, job_id: str) -> tuple[Schedule, ...]:
        """The schedules that run the job with that id, in the order of the file."""
        return tuple(schedule for schedule in self.schedules if schedule.job_id == job_id)
