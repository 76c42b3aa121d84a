"""The shape of `runner.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import ConfigDict, Field

from orchestration.config.fields import (
    NOT_GIVEN,
    Argv,
    Count,
    Crons,
    Duration,
    FileModel,
    Flag,
    FreeMap,
    Generation,
    PriorityName,
    Seconds,
    Text,
    TextMap,
    WholeSeconds,
)
from orchestration.config.policy_file import (  # noqa: TC001 - pydantic reads it
    BreakerEntry,
    RetryConfig,
)

if TYPE_CHECKING:
    from pydantic.config import JsonDict

TRIGGER_KEYS = (
    "cron",
    "interval_seconds",
    "after_completion_seconds",
    "continuous",
    "once",
    "on_asset",
)

_ONE_TRIGGER: JsonDict = {"oneOf": [{"required": [key]} for key in TRIGGER_KEYS]}


class ScheduleEntry(FileModel):
    """One schedule: which job runs, and when. It has exactly one of the triggers `cron`,
    `interval_seconds`, `after_completion_seconds`, `continuous`, `once` and `on_asset`.
    """

    model_config = ConfigDict(json_schema_extra=_ONE_TRIGGER)

    name: Text = Field(
        description="The name of the schedule. Those of sensors in Dagster are taken: `retries`, "
        "`config_problems`, and all that end in `__sensor`."
    )
    config: Text = Field(description="The job file, from the folder of `runner.yaml`.")
    cron: Crons = Field(
        default=[],
        description="Trigger: five fields, in quotes. A list fires when any of them does.",
    )
    interval_seconds: WholeSeconds = Field(
        default=0,
        description="Trigger: the seconds from start to start, on a grid that begins at the Unix "
        "epoch in UTC.",
    )
    after_completion_seconds: WholeSeconds = Field(
        default=0,
        description="Trigger: the seconds from the end of a run of the job to the next one, however "
        "the run was started. At once where there has been none.",
    )
    continuous: Flag = Field(
        default=False, description="Trigger: the job runs again and again, without an end."
    )
    minimum_gap_seconds: WholeSeconds = Field(
        default=5, description="With `continuous`: the seconds from the end of a run to the next."
    )
    error_backoff_seconds: WholeSeconds = Field(
        default=30,
        description="With `continuous`: the seconds to wait after a failed run, doubled by each "
        "further failure in a row.",
    )
    max_error_backoff_seconds: WholeSeconds = Field(
        default=3600, description="With `continuous`: no wait after failures is longer, in seconds."
    )
    once: Generation = Field(
        default="",
        description="Trigger: one run for each generation, a text or a number of your choice. "
        "Another one makes the job run once more.",
    )
    on_asset: Text = Field(
        default="",
        description="Trigger: the job runs when this asset of another job has been updated: "
        "`tenant/asset`, or the whole key `tenant/target/asset` where that is not clear.",
    )
    timezone: Text = Field(
        default="UTC", description="The time zone of `cron`, and of `start` and `end`."
    )
    start: Text = Field(
        default="",
        description="It does not fire before this date or date-time, which is in the zone of the "
        "schedule unless it has an offset. A date is its first instant.",
        examples=["2026-01-31", "2026-01-31T18:00:00+01:00"],
    )
    end: Text = Field(
        default="",
        description="It does not fire at or after this date or date-time, written like `start`.",
        examples=["2026-12-31", "2026-12-31T18:00:00+01:00"],
    )
    overlap: Literal["queue", "skip"] = Field(
        default="queue",
        description="What a tick does while `max_concurrent_runs` runs of the job are under way: its "
        "run waits in the queue, or there is none.",
    )
    catch_up: Literal["latest", "none", "all"] = Field(
        default="latest",
        description="With `cron` and `interval_seconds`: which ticks run later that were missed "
        "while nothing was there to fire them.",
    )
    catch_up_window: Duration = Field(
        default=NOT_GIVEN,
        description="With `catch_up: all`: how old a missed tick may be that still runs. By default "
        "`24h`.",
    )
    spread: Duration = Field(
        default=NOT_GIVEN,
        description="With `cron` and `interval_seconds`: each tick is moved by the same number of "
        "whole minutes below this, chosen by the name of the schedule. By default by none.",
    )
    priority: PriorityName | None = Field(
        default=None,
        description="Which runs leave the queue first. By default that of the tenant.",
    )
    max_concurrent_runs: Count = Field(
        default=1, description="How many runs of the job may be under way at once."
    )
    max_consecutive_errors: Count = Field(
        default=0,
        description="After so many failed runs of the job in a row the schedule is paused, until "
        "the job succeeds or `orchestrate schedule resume` is used. By default it never is.",
    )
    enabled: Flag = Field(
        default=True, description="Whether it fires. A change is in force at the next tick."
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


class EnvSecretsEntry(FileModel):
    """Secrets from the environment of the process that runs the job."""

    provider: Literal["env"] = Field(description="Environment variables with a prefix.")
    prefix: Text = Field(
        description="`${TOKEN}` is looked up as this and `TOKEN`. No other tenant can read a "
        "variable that begins so."
    )


class FileSecretsEntry(FileModel):
    """Secrets from a file of `NAME=value` lines, or from a folder with one file a secret."""

    provider: Literal["file"] = Field(description="A file, or a folder of files.")
    path: Text = Field(
        description="The file or the folder, from the folder of `runner.yaml`; an absolute path may "
        "lie outside of it. Only its owner may be able to read it."
    )


SecretsEntry = Annotated[EnvSecretsEntry | FileSecretsEntry, Field(discriminator="provider")]


class TenantEntry(FileModel):
    """What holds for all jobs of one tenant."""

    concurrency: Count = Field(
        default=0,
        description="How many of its runs may be under way at once. By default "
        "`concurrency_per_tenant`.",
    )
    priority: PriorityName = Field(
        default="normal", description="Which runs leave the queue first, those of higher priority."
    )
    env: TextMap | None = Field(
        default=None,
        description="Variables for each process of the tenant's jobs. Values may hold `${NAME}`, "
        "resolved when a job runs.",
    )
    secrets: SecretsEntry | None = Field(
        default=None,
        description="Where `${NAME}` is looked up when a job runs, before the environment.",
    )


class ConnectorEntry(FileModel):
    """What holds for all jobs with one connector."""

    concurrency: Count = Field(
        default=0,
        description="How many runs with the connector at either end may be under way at once. By "
        "default without limit.",
    )
    retry_config: RetryConfig | None = Field(
        default=None,
        description="For jobs whose source connector it is. `command` stands for command jobs "
        "without one.",
    )
    breaker: BreakerEntry | None = Field(
        default=None, description="The same, for `runner.breaker`, key by key."
    )


class RetryEntry(FileModel):
    """How retries are made."""

    in_run_seconds: Seconds = Field(
        default=60,
        description="A retry that is due later than this does not wait inside of its run, where it "
        "would hold a slot: the run ends, and a new one starts when it is due.",
    )


class CheckpointsEntry(FileModel):
    """Where the checkpoints of command jobs are kept."""

    url: Text = Field(
        default="",
        description="The URL of a folder: `file://`, or in an object store `s3://`, `gs://`, `abfs://` "
        "or one of their other names. By default `checkpoints` in the state directory.",
        examples=["s3://acme-etl/checkpoints"],
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
    connectors: dict[str, ConnectorEntry] | None = Field(
        default=None, description="Limits and failures of single connectors, by their names."
    )
    retry_config: RetryConfig | None = Field(
        default=None, description="For all jobs, key by key below what their connector says."
    )
    breaker: BreakerEntry | None = Field(
        default=None,
        description="For each tenant and source connector. By default there is none.",
    )
    retry: RetryEntry | None = Field(default=None, description="How retries are made.")
    run_timeout: Duration = Field(
        default=NOT_GIVEN,
        description="How long a run may take whose job does not say it. By default `24h`.",
    )
    postgres_url: Text = Field(
        default="",
        description="The database of the Dagster instance, as the one reference `${NAME}` to the "
        "variable that holds its URL. By default SQLite.",
    )
    graceful_shutdown_timeout: Duration = Field(
        default=NOT_GIVEN,
        description="How long `orchestrate up` waits for runs when it is asked to stop, before it "
        "cancels them. By default `30s`.",
    )
    state_directory: Text = Field(
        default=".orchestrate",
        description="Where state is kept, from the folder of `runner.yaml`.",
    )
    checkpoints: CheckpointsEntry | None = Field(
        default=None, description="Where the checkpoints of command jobs are kept."
    )
    dev: Dev | None = Field(default=None, description="Settings of `orchestrate dev`.")


class RunnerFile(FileModel):
    """The settings of a workspace: the folder of this file and what lies below."""

    runner: Runner = Field(description="All settings of the workspace.")


INACTIVE_RUNNER_FIELDS = tuple(InactiveRunnerFields.model_fields)
