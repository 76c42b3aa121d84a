from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from orchestration.defs.metadata import attempt_metadata, fence, job_metadata
from orchestration.domain.backoff import Jitter
from orchestration.domain.events import TableColumn, TableReport
from orchestration.domain.job import CommandTask
from orchestration.domain.outcome import AttemptResult, Outcome
from orchestration.domain.records import AssetSchema, RecordField
from orchestration.domain.retry import Disposition, ErrorClass, RetryBudget, RetryPolicy


def plain(metadata: dict[str, dg.MetadataValue]) -> dict[str, object]:
    return {key: value.value for key, value in metadata.items()}


def result(outcome: Outcome, **changes) -> AttemptResult:
    return AttemptResult(
        outcome=outcome,
        attempt=2,
        started_at=datetime(2026, 3, 1, tzinfo=UTC),
        duration=timedelta(seconds=12.3456),
        **changes,
    )


def test_a_success_shows_status_time_rows_and_table(make_job):
    done = result(
        Outcome.SUCCEEDED,
        exit_code=0,
        peak_memory_bytes=3 * 2**20,
        cpu_seconds=1.23456,
        metrics={"records_extracted": 10, "records_valid": 9, "status": "success"},
        table=TableReport(
            name="acme.orders", row_count=42, columns=(TableColumn(name="id", type="bigint"),)
        ),
        stderr_tail="noise",
    )

    assert plain(attempt_metadata(make_job(source_connector="csv"), done)) == {
        "status": "success",
        "outcome": "succeeded",
        "tenant_id": "acme",
        "connector_type": "csv",
        "attempt": 2,
        "execution_time_seconds": 12.346,
        "exit_code": 0,
        "peak_memory_mib": 3.0,
        "cpu_seconds": 1.235,
        "records_extracted": 10,
        "records_valid": 9,
        "dagster/table_name": "acme.orders",
        "dagster/row_count": 42,
        "dagster/column_schema": dg.TableSchema([dg.TableColumn("id", "bigint")]),
    }


def test_the_fields_of_the_definition_are_shown_before_the_first_run(make_job):
    schema = AssetSchema(
        fields=(
            RecordField(name="id", type="integer", required=True, description="its number"),
            RecordField(name="day", type="date"),
        )
    )

    shown = plain(job_metadata(replace(make_job(), schema=schema), Path("/workspace"), ()))

    required = dg.TableColumnConstraints(nullable=False)
    assert shown["dagster/column_schema"] == dg.TableSchema(
        [
            dg.TableColumn("id", "integer", description="its number", constraints=required),
            dg.TableColumn("day", "date"),
        ]
    )


def test_a_failure_shows_signal_error_and_the_tail_of_stderr(make_job):
    failed = result(
        Outcome.FAILED, signal=9, stderr_tail="line 1\nline 2", error_text="out of memory"
    )

    shown = plain(attempt_metadata(make_job(), failed))

    assert shown["status"] == "failure"
    assert shown["signal"] == 9
    assert "exit_code" not in shown
    assert shown["error"] == "out of memory"
    assert shown["stderr"] == "```text\nline 1\nline 2\n```"


def test_a_definition_never_shows_options_arguments_or_variables(make_job, make_workspace):
    job = make_job(
        env={"API_KEY": "k-123"},
        timeout=timedelta(hours=2),
        environment="prod",
        task=CommandTask(command=("etl",), working_directory=Path("/srv"), image="etl:3"),
        retry=RetryPolicy(max_retries=3, retryable_error_patterns=("rate limit",)),
    )
    workspace = make_workspace()

    shown = job_metadata(job, workspace.root, workspace.schedules[:1])
    shown.pop("dagster/code_references")

    assert plain(shown) == {
        "job": "acme/orders",
        "tenant_id": "acme",
        "connector_type": "command",
        "retries": "up to 3 on exit codes 1, 2 with 1 error patterns, waiting 5s to 20s",
        "schedules": "acme_job_0_hourly: Runs `acme/job_0` at `0 * * * *` (Europe/Paris).",
        "timeout": "2h",
        "environment": "prod",
        "image": "etl:3",
    }


def test_the_retries_of_a_job_are_told_with_all_that_they_follow(make_job, make_workspace):
    job = make_job(
        retry=RetryPolicy(
            max_retries=4,
            jitter=Jitter.FULL,
            retryable_exit_codes=frozenset({2, 75}),
            retry_on_signal=frozenset({9, 11}),
            retry_on_timeout=True,
            error_classes=(
                ErrorClass(name="auth", disposition=Disposition.PERMANENT, patterns=("401",)),
                ErrorClass(name="busy", disposition=Disposition.TRANSIENT, patterns=("503",)),
            ),
            budget=RetryBudget(retries=20, per=timedelta(hours=1)),
        )
    )

    shown = job_metadata(job, make_workspace().root, [])

    assert plain(shown)["retries"] == (
        "up to 4 on exit codes 2, 75, signals SIGKILL, SIGSEGV, time-outs, errors of the class "
        "busy, waiting 0s to 40s, 20 retries in 1h"
    )


def test_a_fence_is_longer_than_any_fence_inside():
    assert fence("a ``` b") == "````text\na ``` b\n````"
