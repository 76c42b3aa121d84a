"""The shape of `retry_config` and `breaker`, which job files and `runner.yaml` share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from orchestration.config.fields import (
    NOT_GIVEN,
    Count,
    Duration,
    ExitCode,
    FileModel,
    Flag,
    Multiplier,
    Patterns,
    Retries,
    Seconds,
    Signals,
    Text,
)


class ErrorClassEntry(FileModel):
    """Failures that are judged by themselves, whatever the other rules say. The first class that
    matches counts: one of its codes, and one of its patterns, whichever of the two it has.
    """

    name: Text = Field(description="What logs and `orchestrate retry explain` call it.")
    disposition: Literal["transient", "permanent", "discardable"] = Field(
        description="A transient failure is repeated; a permanent one is not; a discardable one is "
        "not either, and makes the run a partial success, which is a warning."
    )
    exit_codes: list[ExitCode] | None = Field(
        default=None, description="One of these is the exit code. That of a time-out is none."
    )
    patterns: Patterns | None = Field(
        default=None,
        description="One of these regular expressions is found in the errors, in whatever case.",
    )


class BudgetEntry(FileModel):
    """The retries that the jobs of a tenant with the same source connector have together."""

    retries: Count = Field(description="How many there may be within `per`.")
    per: Duration = Field(description="The time that is looked back on.")


class RetryConfig(FileModel):
    """When a failed attempt is followed by another one. What a job does not say is said by
    `retry_config` of its source connector in `runner.yaml`, then by `runner.retry_config`, then by
    the defaults. A job for which nobody says anything is not repeated.
    """

    max_retries: Retries = Field(default=3, description="How many attempts may follow the first.")
    initial_delay_seconds: Seconds = Field(
        default=5, description="The wait after the first attempt."
    )
    max_delay_seconds: Seconds = Field(default=300, description="No wait is longer than this.")
    backoff_multiplier: Multiplier = Field(
        default=2.0, description="Each wait is this many times the one before."
    )
    jitter: Literal["none", "full", "equal", "decorrelated"] = Field(
        default="none",
        description="Which part of a wait is left to chance: nothing; all of it; its second half; or "
        "between the first wait and three times the wait before, without the multiplier.",
    )
    retryable_exit_codes: list[ExitCode] = Field(
        default=[1, 2],
        description="Only attempts that end with one of these codes are repeated. A process that "
        "dies of a signal counts as 128 plus the number of the signal. The 1 of a connector job, "
        "which stands for rejected records, is never repeated.",
    )
    retryable_error_patterns: Patterns | None = Field(
        default=None,
        description="If given, one of these regular expressions must also be found in the errors "
        "of the attempt, in whatever case.",
    )
    non_retryable_error_patterns: Patterns | None = Field(
        default=None,
        description="If one of these is found in the errors, the attempt is not repeated, whatever "
        "its code.",
    )
    retry_on_signal: Signals = Field(
        default=[],
        description="Attempts that die of one of these signals are repeated, whatever they wrote. "
        "`true` stands for all signals but SIGINT and SIGTERM, which cancel a job.",
    )
    retry_on_timeout: Flag = Field(
        default=False,
        description="Whether attempts that took longer than `timeout` are repeated, whatever they "
        "wrote.",
    )
    error_classes: list[ErrorClassEntry] | None = Field(
        default=None, description="Failures that are judged before all other rules, in this order."
    )
    budget: BudgetEntry | None = Field(
        default=None, description="How many retries the tenant has. By default without limit."
    )
    retry_delay_seconds: Seconds = Field(
        default=5, description="The old spelling of `initial_delay_seconds`."
    )
    retryable_errors: Patterns | None = Field(
        default=None, description="The old spelling of `retryable_error_patterns`."
    )


class BreakerEntry(FileModel):
    """When the schedules of a tenant leave a source connector alone that keeps failing."""

    failures: Count = Field(
        default=5, description="It opens after so many failed attempts of the tenant's jobs."
    )
    within: Duration = Field(
        default=NOT_GIVEN, description="The time in which they count. By default `10m`."
    )
    open_for: Duration = Field(
        default=NOT_GIVEN,
        description="How long schedules skip and nothing is repeated, before one run probes whether "
        "it works again. By default `15m`.",
    )
