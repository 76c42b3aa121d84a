"""The shape of a job file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from orchestration.config.fields import (
    NOT_GIVEN,
    Argv,
    Duration,
    FileModel,
    Flag,
    FreeMap,
    Keys,
    Text,
    TextMap,
    Texts,
)
from orchestration.config.policy_file import RetryConfig  # noqa: TC001 - pydantic reads it


class Logging(FileModel):
    """How the connector should log."""

    level: Text = Field(default="INFO", description="The lowest level that is logged.")
    redaction: Flag = Field(default=False, description="Whether secrets are masked in logs.")


class InactiveJobFields(FileModel):
    """Fields that are accepted so that existing files load unchanged, and have no effect."""

    source_connector_path: Text = Field(default="", description="The recipe of the source.")
    target_connector_path: Text = Field(default="", description="The recipe of the target.")
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


class DedupConfig(FileModel):
    """Which records are dropped since they came before. By default none are."""

    key: Annotated[list[Text], Field(min_length=1)] = Field(
        description="The fields by which a record is known."
    )
    within: Duration = Field(
        default=NOT_GIVEN,
        description="For how long a record that was committed is remembered: `24h` by default.",
    )
    max_keys: Keys = Field(
        default=1_000_000,
        description="How many records are remembered at most; the oldest are forgotten first. A "
        "run holds them in memory, about 100 MB for a million.",
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
    asset_path: Text = Field(
        default="",
        description="The file with the definition of the asset: what its records look like. For "
        "connector jobs.",
    )
    schema_validation_mode: Literal["strict", "warn"] = Field(
        default="strict",
        description="What happens to records that break the definition: `strict` commits nothing "
        "if there are any, `warn` sets them aside as dead letters and commits the others.",
    )
    dedup: DedupConfig | None = Field(
        default=None, description="Drop records that came before. For connector jobs."
    )
    env: TextMap | None = Field(
        default=None,
        description="Variables for the process of the job. Values may hold `${NAME}`, resolved "
        "when the job runs.",
    )
    timeout: Duration = Field(
        default=NOT_GIVEN,
        description="How long one attempt may take. By default until `run_timeout` is over.",
    )
    run_timeout: Duration = Field(
        default=NOT_GIVEN,
        description="How long a run may take, with all its attempts and the waits between them. By "
        "default `runner.run_timeout`.",
    )
    grace_period: Duration = Field(
        default=NOT_GIVEN,
        description="How long a process that is asked to stop may take before it is killed: `10s` "
        "by default.",
    )
    retry_config: RetryConfig | None = Field(
        default=None,
        description="Whether failed attempts are repeated. By default as `runner.yaml` says, and if "
        "it says nothing, they are not.",
    )


INACTIVE_FIELDS = tuple(InactiveJobFields.model_fields)
RUN_TIME_FIELDS = frozenset({"command", "env", "source", "target"})
"""Fields whose references are resolved when the job runs, not when it is loaded."""
