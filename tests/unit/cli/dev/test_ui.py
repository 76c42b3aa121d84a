from dataclasses import replace
from datetime import UTC, datetime

import pytest

from orchestration.cli.dev.ui import FinishedRun, parse_run, read_pages

RUN = {
    "runId": "r1",
    "jobName": "acme",
    "status": "SUCCESS",
    "startTime": 100.0,
    "endTime": 101.5,
    "updateTime": 102.0,
    "tags": [{"key": "tenant", "value": "acme"}, {"key": "job_name", "value": "orders"}],
    "assetMaterializations": [
        {
            "metadataEntries": [
                {"label": "status", "text": "success"},
                {"label": "dagster/row_count", "intValue": 28257},
                {"label": "cpu_seconds"},
            ]
        }
    ],
}
FINISHED = FinishedRun(
    run_id="r1",
    subject="acme/orders",
    outcome="succeeded",
    updated_at=102.0,
    seconds=1.5,
    rows=28257,
)


def test_a_run_is_named_by_its_job_with_rows_and_duration():
    assert parse_run(RUN) == FINISHED


def test_a_run_says_when_it_is_repeated_and_which_breakers_it_has_changed():
    said = {
        "orchestration/retry": "waiting",
        "orchestration/retry_at": "2026-06-01T12:00:00+00:00",
        "orchestration/breaker/acme/stripe": "opened",
    }
    run = {**RUN, "tags": RUN["tags"] + [{"key": k, "value": v} for k, v in said.items()]}

    assert parse_run(run) == replace(
        FINISHED,
        retry_at=datetime(2026, 6, 1, 12, tzinfo=UTC),
        breakers=(("acme/stripe", "opened"),),
    )


@pytest.mark.parametrize(("key", "value"), [("retry", "launched"), ("retry_at", "soon")])
def test_a_wait_that_is_over_or_cannot_be_read_is_none(key, value):
    said = {"retry": "waiting", "retry_at": "2026-06-01T12:00:00+00:00", key: value}
    found = [{"key": f"orchestration/{k}", "value": v} for k, v in said.items()]

    assert parse_run({**RUN, "tags": RUN["tags"] + found}) == FINISHED


def test_a_run_that_never_started_and_has_no_tags_is_named_by_the_dagster_job():
    run = {**RUN, "tags": [], "startTime": None, "assetMaterializations": [], "status": "FAILURE"}

    assert parse_run(run) == FinishedRun(
        run_id="r1", subject="acme", outcome="failed", updated_at=102.0
    )


@pytest.mark.parametrize(
    ("status", "reported", "outcome"),
    [
        ("SUCCESS", "success", "succeeded"),
        ("SUCCESS", "partial", "partial"),
        ("FAILURE", "failure", "failed"),
        ("CANCELED", "failure", "cancelled"),
    ],
)
def test_the_outcome_is_what_the_job_reported(status, reported, outcome):
    facts = [{"metadataEntries": [{"label": "status", "text": reported}]}]

    assert parse_run({**RUN, "status": status, "assetMaterializations": facts}).outcome == outcome


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 230])
def test_more_runs_than_one_page_holds_are_asked_for_until_all_are_there(count):
    runs = [replace(FINISHED, run_id=f"r{n}") for n in range(count)]
    asked = []

    def ask(cursor):
        asked.append(cursor)
        first = 0 if cursor is None else int(cursor.removeprefix("r")) + 1
        return runs[first : first + 50]

    assert list(read_pages(ask, size=50)) == runs
    assert len(asked) == count // 50 + 1
