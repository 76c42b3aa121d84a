"""What Dagster shows of a job and of each of its attempts."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import dagster as dg

from orchestration.domain.describe import describe_schedule
from orchestration.domain.durations import format_duration
from orchestration.domain.job import CommandTask
from orchestration.domain.outcome import AttemptResult, Outcome, signal_name
from orchestration.domain.retry import Disposition

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from orchestration.domain.events import TableReport
    from orchestration.domain.job import Job
    from orchestration.domain.problem import Location
    from orchestration.domain.records import AssetSchema
    from orchestration.domain.retry import RetryDecision, RetryPolicy
    from orchestration.domain.schedule import Schedule

_Metadata = dict[str, dg.MetadataValue]
_STATUS = {Outcome.SUCCEEDED: "success", Outcome.PARTIAL: "partial"}
_STDERR_LINES = 40


def code_reference(root: Path, location: Location) -> dg.CodeReferencesMetadataValue:
    """The link from an asset to its line in the YAML file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # code references are beta in 1.13
        line = dg.LocalFileCodeReference(
            file_path=str(root / location.file), line_number=location.line, label=str(location)
        )
        return dg.CodeReferencesMetadataValue(code_references=[line])


def job_metadata(job: Job, root: Path, schedules: Iterable[Schedule]) -> _Metadata:
    """The definition metadata of a job's asset. Never an option, an argument or a variable: those
    may hold what should not be seen.
    """
    shown: _Metadata = {
        "dagster/code_references": code_reference(root, job.location),
        "job": dg.TextMetadataValue(job.id),
        "tenant_id": dg.TextMetadataValue(job.tenant),
        "connector_type": dg.TextMetadataValue(job.connector),
        "retries": dg.TextMetadataValue(_describe_retries(job)),
    }
    if job.schema:
        shown["dagster/column_schema"] = _fields(job.schema)
    triggers = [_describe_schedule(schedule) for schedule in schedules]
    optional = {
        "schedules": "\n\n".join(triggers),
        "timeout": format_duration(job.timeout) if job.timeout else "",
        "environment": job.environment or "",
        "image": (isinstance(job.task, CommandTask) and job.task.image) or "",
    }
    return shown | {key: dg.TextMetadataValue(text) for key, text in optional.items() if text}


def _fields(schema: AssetSchema) -> dg.TableSchemaMetadataValue:
    """What the asset definition says of the columns, until a run has written them."""
    columns = [
        dg.TableColumn(
            field.name,
            field.type,
            description=field.description or None,
            constraints=dg.TableColumnConstraints(nullable=not field.required),
        )
        for field in schema.fields
    ]
    return dg.TableSchemaMetadataValue(dg.TableSchema(columns))


def attempt_metadata(job: Job, result: AttemptResult) -> _Metadata:
    """The metadata of one attempt (004-18): on the materialisation, or on the failure."""
    shown: _Metadata = {
        "status": dg.TextMetadataValue(_STATUS.get(result.outcome, "failure")),
        "outcome": dg.TextMetadataValue(result.outcome.value),
        "tenant_id": dg.TextMetadataValue(job.tenant),
        "connector_type": dg.TextMetadataValue(job.connector),
        "attempt": dg.IntMetadataValue(result.attempt),
        "execution_time_seconds": _seconds(result.duration.total_seconds()),
    }
    if result.exit_code is not None:
        shown["exit_code"] = dg.IntMetadataValue(result.exit_code)
    if result.signal is not None:
        shown["signal"] = dg.IntMetadataValue(result.signal)
    shown |= _resources(result) | record_counts(result) | _table(result.table)
    if result.outcome is not Outcome.SUCCEEDED:
        shown |= _errors(result)
    return shown


def decision_metadata(decision: RetryDecision, due: datetime | None = None) -> _Metadata:
    """The metadata of what follows an attempt: why, and when. `due` is when a retry in a new run
    is; nothing where nothing failed.
    """
    if decision.disposition is None:
        return {}
    shown: _Metadata = {
        "disposition": dg.TextMetadataValue(decision.disposition.value),
        "rule": dg.TextMetadataValue(decision.rule),
        "reason": dg.TextMetadataValue(decision.reason),
    }
    if decision.retry:
        shown["delay_seconds"] = _seconds(decision.delay.total_seconds())
    if due is not None:
        shown["retry_at"] = dg.TimestampMetadataValue(due.timestamp())
    return shown


def _resources(result: AttemptResult) -> _Metadata:
    shown: _Metadata = {}
    if result.peak_memory_bytes is not None:
        shown["peak_memory_mib"] = dg.FloatMetadataValue(round(result.peak_memory_bytes / 2**20, 1))
    if result.cpu_seconds is not None:
        shown["cpu_seconds"] = _seconds(result.cpu_seconds)
    return shown


def record_counts(result: AttemptResult) -> _Metadata:
    """How much the attempt moved, as far as the connector said it (004-16)."""
    names = (
        "records_extracted",
        "records_valid",
        "records_invalid",
        "records_duplicate",
        "files_written",
        "total_bytes",
    )
    found = {name: result.metrics.get(name) for name in names}
    return {
        name: dg.IntMetadataValue(count)
        for name, count in found.items()
        if isinstance(count, int) and not isinstance(count, bool)
    }


def _table(table: TableReport | None) -> _Metadata:
    if table is None:
        return {}
    shown: _Metadata = {"dagster/table_name": dg.TextMetadataValue(table.name)}
    if table.row_count is not None:
        shown["dagster/row_count"] = dg.IntMetadataValue(table.row_count)
    if table.columns:
        columns = [dg.TableColumn(column.name, column.type) for column in table.columns]
        shown["dagster/column_schema"] = dg.TableSchemaMetadataValue(dg.TableSchema(columns))
    return shown


def _errors(result: AttemptResult) -> _Metadata:
    lines = result.stderr_tail.splitlines()[-_STDERR_LINES:]
    shown: _Metadata = {}
    if result.error_text:
        shown["error"] = dg.TextMetadataValue(result.error_text)
    if lines:
        shown["stderr"] = dg.MarkdownMetadataValue(fence("\n".join(lines)))
    return shown


def fence(text: str) -> str:
    """The text as a Markdown code block, also if it holds such fences itself."""
    ticks = "```"
    while ticks in text:
        ticks += "`"
    return f"{ticks}text\n{text}\n{ticks}"


def _seconds(value: float) -> dg.FloatMetadataValue:
    return dg.FloatMetadataValue(round(value, 3))


def _describe_retries(job: Job) -> str:
    policy = job.retry
    if policy.max_retries == 0:
        return "none"
    shortest, _ = policy.delay_bounds(1)
    _, longest = policy.delay_bounds(policy.max_retries)
    text = (
        f"up to {policy.max_retries} on {', '.join(_describe_retryable(policy)) or 'nothing'}, "
        f"waiting {format_duration(shortest)} to {format_duration(longest)}"
    )
    return f"{text}, {policy.budget.describe()}" if policy.budget else text


def _describe_retryable(policy: RetryPolicy) -> Iterator[str]:
    if policy.retryable_exit_codes:
        codes = ", ".join(map(str, sorted(policy.retryable_exit_codes)))
        count = len(policy.retryable_error_patterns)
        yield f"exit codes {codes}" + (f" with {count} error patterns" if count else "")
    if policy.retry_on_signal:
        yield f"signals {', '.join(map(signal_name, sorted(policy.retry_on_signal)))}"
    if policy.retry_on_timeout:
        yield "time-outs"
    for error_class in policy.error_classes:
        if error_class.disposition is Disposition.TRANSIENT:
            yield f"errors of the class {error_class.name}"


def _describe_schedule(schedule: Schedule) -> str:
    return f"{schedule.name}: {describe_schedule(schedule)}"
