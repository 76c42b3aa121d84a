"""Jobs: what moves which data for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from orchestration.domain.breaker import BreakerPolicy
from orchestration.domain.events import JsonValue
from orchestration.domain.problem import Location, Problem
from orchestration.domain.records import AssetSchema, Dedup
from orchestration.domain.retry import NO_RETRIES, RetryPolicy

RUNNER_FAULT_KEY = ("config", "runner_yaml")
"""The asset key under which errors of `runner.yaml` are shown. No job may have it."""


class JobKind(StrEnum):
    """What does the work: a program of the user's, or the built-in connector runtime."""

    COMMAND = "command"
    CONNECTOR = "connector"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandTask:
    """A program to run. `command` is argv, never a shell string.

    Texts may hold `${NAME}` references, which are resolved when the task runs, in the process that
    needs them. `working_directory` is absolute. `image` is recorded for container launchers.
    """

    command: tuple[str, ...]
    working_directory: Path
    image: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorEnd:
    """One end of a connector job: the connector's name and its options as the file gives them.

    `${NAME}` references in option texts are resolved when the task runs.
    """

    connector: str
    options: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorTask:
    """Data to move with the built-in connector runtime.

    `working_directory` (absolute) is the folder that relative paths of options start from.
    """

    source: ConnectorEnd
    target: ConnectorEnd
    working_directory: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job file, resolved: everything that Dagster, an exporter or the runner needs to know.

    `name` is the `name:` of the file, else its stem; `id` is `tenant/name`. `asset` is the name of
    the data that the job produces. `source_connector` and `target_connector` are labels, and None
    where a command job does not give them. `env` is what the child process gets beside the
    allow-list; its values may hold `${NAME}`. `timeout` is per attempt, `run_timeout` for all
    attempts of one run with the waits between them (None: that of the settings). `schema` and
    `dedup` are for connector jobs. `owners` are e-mail addresses or `team:name`. `stale` says that the file is broken now and this is the last good
    version of it.
    """

    tenant: str
    name: str
    asset: str
    kind: JobKind
    task: CommandTask | ConnectorTask
    location: Location
    source_connector: str | None = None
    target_connector: str | None = None
    description: str = ""
    environment: str | None = None
    owners: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    timeout: timedelta | None = None
    grace_period: timedelta = timedelta(seconds=10)
    run_timeout: timedelta | None = None
    retry: RetryPolicy = NO_RETRIES
    breaker: BreakerPolicy | None = None
    schema: AssetSchema | None = None
    dedup: Dedup | None = None
    stale: bool = False

    @property
    def id(self) -> str:
        """`tenant/name`: how people and scripts name the job."""
        return f"{self.tenant}/{self.name}"

    @property
    def connector(self) -> str:
        """The source connector, or `command` where there is none."""
        return self.source_connector or self.kind.value

    @property
    def asset_key(self) -> tuple[str, ...]:
        """The parts of the Dagster asset key: `tenant, target connector, asset`."""
        return make_asset_key(self.tenant, self.target_connector, self.asset)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenJob:
    """A job whose file has errors: it stays visible, with what is wrong, and cannot run.

    Tenant, name and asset are what could be read, else what the path says.
    """

    tenant: str
    name: str
    asset: str
    target_connector: str | None
    location: Location
    problems: tuple[Problem, ...]

    @property
    def id(self) -> str:
        """`tenant/name`: how people and scripts name the job."""
        return f"{self.tenant}/{self.name}"

    @property
    def asset_key(self) -> tuple[str, ...]:
        """The parts of the Dagster asset key: `tenant, target connector, asset`."""
        return make_asset_key(self.tenant, self.target_connector, self.asset)


def make_asset_key(tenant: str, target_connector: str | None, asset: str) -> tuple[str, ...]:
    """`(tenant, target, asset)`, or `(tenant, asset)` for a command job without a target."""
    return (tenant, target_connector, asset) if target_connector else (tenant, asset)
