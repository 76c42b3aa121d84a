"""The shape of a job file."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from orchestration.config.fields import (
    NOT_GIVEN,
    Argv,
    Duration,
    ExitCode,
    FileModel,
    Flag,
    FreeMap,
    Multiplier,
    Retries,
    Seconds,
    Text,
    TextMap,
    Texts,
)


class RetryConfig(FileModel):
    """When a failed attempt is followed by another one. A job without this key is not retried."""

    max_retries: Retries = Field(default=3, description="How many attempts may follow the first.")
    initial_delay_seconds: Seconds = Field(
        default=5, description="The wait after the first attempt."
    )
    max_delay_seconds: Seconds = Field(default=300, description="No wait is longer than this.")
    backoff_multiplier: Multiplier = Field(
        default=2.0, description="Each wait is this many times the one before."
    )
    retryable_exit_codes: list[ExitCode] = Field(
        default=[1, 2],
        description="Only attempts that end with one of these codes are repeated. A process that "
        "dies of a signal counts as 128 plus the number of the signal.",
    )
    retryable_error_patterns: Texts | None = Field(
        default=None,
        description="If given, one of these regular expressions must also be found in the errors "
        "of the attempt, in whatever case.",
    )
    retry_delay_seconds: Seconds = Field(
        default=5, description="The old spelling of `initial_delay_seconds`."
    )
    retryable_errors: Texts | None = Field(
        default=None, description="The old spelling of `retryable_error_patterns`."
    )


class Logging(FileModel):
    """How the connector should log."""

    level: Text = Field(default="INFO", description="The lowest level that is logged.")
    redaction: Flag = Field(default=False, description="Whether secrets are masked in logs.")


class InactiveJobFields(FileModel):
    """Fields that are accepted so that existing files load unchanged, and have no effect."""

    source_connector_path: Text = Field(default="", description="The recipe of the source.")
    target_connector_path: Text = Field(default="", description="The recipe of the target.")
    asset_path: Text = Field(default="", description="The definition of the asset.")
    schema_validation_mode: Literal["strict", "warn"] = Field(
        default="strict", description="What happens to records that break the schema."
    )
    logging: Logging | None = Field(default=None, description="How the connector should log.")
    catalog: FreeMap | None = Field(default=None, description="The data catalog to report to.")
    finops: FreeMap | None = Field(default=None, description="Whom the costs are charged to.")
    classification_overrides: FreeMap | None = Field(
        default=None, description="Classes of fields, such as personal data."
    )
    governance_overrides: FreeMap | None = Field(
        default=None, description="Retention and ownership of the data."
    )
    plugins: Any = Field(default=None, description="Readers and writers.")
    infrastructure: FreeMap | None = Field(
        default=None, description="Where another orchestrator runs the job."
    )


class JobFile(InactiveJobFields):
    """One job: the data of one asset for one tenant, and what moves it."""

    tenant_id: Text = Field(
        default="",
        description="Whose job it is. By default the folder below `jobs/` that the file lies in.",
    )
    name: Text = Field(
        default="", description="The name of the job. By default the name of the file."
    )
    asset: Text = Field(
        default="",
        description="The name of the data that the job produces. By default the name of the job.",
    )
    description: str = Field(default="", description="What the data is, for people.")
    environment: Text = Field(default="", description="Where it runs: `prod`, `staging`.")
    owners: Texts | None = Field(
        default=None, description="E-mail addresses, or teams as `team:name`."
    )
    tags: TextMap | None = Field(default=None, description="Tags of the asset.")
    command: Argv = Field(
        default=[],
        description="The program to run and its arguments, as a list. No shell is involved. May "
        "hold `${NAME}`, resolved when the job runs.",
    )
    working_directory: Text = Field(
        default="",
        description="Where the command runs, from the folder of `runner.yaml`, the default.",
    )
    image: Text = Field(
        default="",
        description="The container image of the command: recorded for container launchers; has no "
        "effect yet.",
    )
    source_connector: Text = Field(
        default="", description="Where data comes from. For a command job a label."
    )
    source: FreeMap | None = Field(
        default=None,
        description="Options of the source connector. May hold `${NAME}`, resolved when the job "
        "runs.",
    )
    target_connector: Text = Field(
        default="", description="Where data goes. For a command job a label."
    )
    target: FreeMap | None = Field(
        default=None,
        description="Options of the target connector. May hold `${NAME}`, resolved when the job "
        "runs.",
    )
    env: TextMap | None = Field(
        default=None,
        description="Variables for the process of the job. Values may hold `${NAME}`, resolved "
        "when the job runs.",
    )
    timeout: Duration = Field(
        default=NOT_GIVEN, description="How long one attempt may take. By default without limit."
    )
    grace_period: Duration = Field(
        default=NOT_GIVEN,
        description="How long a process that is asked to stop may take before it is killed: `10s` "
        "by default.",
    )
    retry_config: RetryConfig | None = Field(
        default=None, description="Whether failed attempts are repeated. By default they are not."
    )


INACTIVE_FIELDS = tuple(InactiveJobFields.model_fields)
RUN_TIME_FIELDS = frozenset({"command", "env", "source", "target"})
"""Fields whose references are resolved when the job runs, not when it is loaded."""
