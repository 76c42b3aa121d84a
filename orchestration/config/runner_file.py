"""The shape of `runner.yaml`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from orchestration.config.fields import (
    Argv,
    Count,
    Crons,
    FileModel,
    Flag,
    FreeMap,
    Text,
    TextMap,
    WholeSeconds,
)


class ScheduleEntry(FileModel):
    """One schedule: which job runs, and when."""

    name: Text = Field(description="The name of the schedule.")
    config: Text = Field(description="The job file, from the folder of `runner.yaml`.")
    cron: Crons = Field(
        default=[],
        description="When it fires: five fields, in quotes. A list fires when any of them does.",
    )
    interval_seconds: WholeSeconds = Field(
        default=0,
        description="The distance of runs from start to start, in place of `cron`, on a grid that "
        "begins at the Unix epoch in UTC.",
    )
    enabled: Flag = Field(
        default=True, description="Whether it fires. A change is in force at the next tick."
    )
    timezone: Text = Field(default="UTC", description="The time zone of `cron`.")
    max_concurrent_runs: Count = Field(
        default=1, description="How many runs of the job may be under way at once."
    )
    tags: TextMap | None = Field(default=None, description="Tags of each run.")


class Orchestrator(FileModel):
    """Schedules and limits."""

    type: Literal["dagster", "airflow"] = Field(
        default="dagster", description="Who runs the schedules. Dagster does, whatever it says."
    )
    schedules: list[ScheduleEntry] | None = Field(default=None, description="When jobs run.")
    concurrency_per_tenant: Count = Field(
        default=1, description="How many runs of one tenant may be under way at once."
    )
    max_concurrent_runs: Count = Field(
        default=0, description="How many runs may be under way at once. By default Dagster's limit."
    )


class TenantEntry(FileModel):
    """What holds for all jobs of one tenant."""

    concurrency: Count = Field(
        default=0,
        description="How many of its runs may be under way at once. By default "
        "`concurrency_per_tenant`.",
    )
    env: TextMap | None = Field(
        default=None,
        description="Variables for each process of the tenant's jobs. Values may hold `${NAME}`, "
        "resolved when a job runs.",
    )


class ServiceEntry(FileModel):
    """A helper process that `orchestrate dev` starts."""

    name: Text = Field(description="Its name on the screen.")
    command: Argv = Field(
        description="The program and its arguments, as a list. May hold `${NAME}`."
    )
    working_directory: Text = Field(
        default="", description="Where it runs, from the folder of `runner.yaml`, the default."
    )


class Dev(FileModel):
    """Settings of `orchestrate dev`."""

    services: list[ServiceEntry] | None = Field(
        default=None, description="Helper processes, such as a local server."
    )


class InactiveRunnerFields(FileModel):
    """Fields that are accepted so that existing files load unchanged, and have no effect."""

    metrics: FreeMap | None = Field(default=None, description="Where metrics are served or sent.")
    notifications: FreeMap | None = Field(default=None, description="Who hears of failures.")


class Runner(InactiveRunnerFields):
    """All settings of a workspace."""

    mode: Literal["orchestrated", "oneshot"] = Field(
        default="orchestrated", description="Schedules fire in `orchestrated` mode."
    )
    orchestrator: Orchestrator | None = Field(default=None, description="Schedules and limits.")
    tenants: dict[str, TenantEntry | None] | None = Field(
        default=None, description="Settings of single tenants, by their names."
    )
    state_directory: Text = Field(
        default=".orchestrate",
        description="Where state is kept, from the folder of `runner.yaml`.",
    )
    dev: Dev | None = Field(default=None, description="Settings of `orchestrate dev`.")


class RunnerFile(FileModel):
    """The settings of a workspace: the folder of this file and what lies below."""

    runner: Runner = Field(description="All settings of the workspace.")


INACTIVE_RUNNER_FIELDS = tuple(InactiveRunnerFields.model_fields)
