import json
from collections import Counter
from pathlib import Path

from orchestration.connectors.events import (
    LISTED_REJECTS,
    Column,
    Emitter,
    Tally,
    Written,
    complete_fields,
    emit_new_columns,
    emit_reading,
    emit_writing,
)
from orchestration.connectors.order import Order
from orchestration.domain.job import ConnectorEnd
from orchestration.runner.mask import Masker

ORDER = Order(
    job="acme/airports",
    tenant="acme",
    name="airports",
    asset="airports",
    run_id="r",
    attempt=1,
    full_refresh=False,
    source=ConnectorEnd(connector="csv"),
    target=ConnectorEnd(connector="duckdb"),
    working_directory=Path("/w"),
    state_directory=Path("/s"),
)
WRITTEN = Written(
    table="acme.airports",
    row_count=12,
    columns=(Column(name="iata", type="VARCHAR"),),
    records_written=9,
    files_written=1,
    total_bytes=1234,
)


def emitter():
    lines = []
    return Emitter(lines.append, lambda value: value), lambda: [json.loads(line) for line in lines]


def test_what_was_read_is_emitted_with_the_share_that_was_good():
    emit, events = emitter()
    emit_reading(emit, Tally(extracted=1000, invalid=5, files_read=2, files_unchanged=3))
    assert events() == [
        {
            "event_type": "metrics_extraction",
            "records_extracted": 1000,
            "files_read": 2,
            "files_unchanged": 3,
        },
        {
            "event_type": "metrics_validation",
            "records_valid": 995,
            "records_invalid": 5,
            "validation_rate": 0.995,
        },
    ]


def test_requests_are_emitted_by_status():
    emit, events = emitter()
    emit_reading(emit, Tally(requests=Counter({"503": 1, "200": 4})))
    assert events()[0] == {
        "event_type": "metrics_api",
        "requests": 5,
        "by_status": {"200": 4, "503": 1},
    }


def test_what_was_written_is_emitted_with_the_columns_of_the_table():
    emit, events = emitter()
    emit_writing(emit, WRITTEN)
    emit_new_columns(emit, "acme.airports", (Column(name="x", type="DOUBLE"),))
    assert events() == [
        {
            "event_type": "metrics_writing",
            "table": "acme.airports",
            "row_count": 12,
            "columns": [{"name": "iata", "type": "VARCHAR"}],
            "records_written": 9,
            "files_written": 1,
            "total_bytes": 1234,
        },
        {
            "event_type": "schema_changed",
            "table": "acme.airports",
            "new_columns": [{"name": "x", "type": "DOUBLE"}],
        },
    ]


def test_the_last_event_says_everything_that_the_contract_asks_for():
    tally = Tally(extracted=1000, invalid=5, earlier=2)
    assert complete_fields(ORDER, "partial", 45.2, tally, WRITTEN) == {
        "job_name": "airports",
        "tenant_id": "acme",
        "status": "partial",
        "execution_time_seconds": 45.2,
        "records_extracted": 1000,
        "records_valid": 995,
        "records_invalid": 7,
        "files_written": 1,
        "total_bytes": 1234,
        "records_per_second": 22.1,
    }


def test_an_attempt_that_wrote_nothing_and_took_no_time_is_complete_too():
    fields = complete_fields(ORDER, "failure", 0.0, Tally(), None)
    assert fields["records_per_second"] == 0.0
    assert (fields["files_written"], fields["total_bytes"]) == (0, 0)


def test_rejects_are_listed_up_to_a_limit_and_then_counted():
    emit, events = emitter()
    for line in range(1, LISTED_REJECTS + 4):
        emit.rejected("a.csv", line, "bad")
    emit.rejected_unlisted()
    assert len(events()) == LISTED_REJECTS + 1
    assert events()[0] == {
        "event_type": "record_skipped",
        "file": "a.csv",
        "line": 1,
        "reason": "bad",
    }
    assert events()[-1] == {
        "event_type": "record_skipped",
        "reason": "not listed one by one",
        "records": 3,
    }


def test_rejects_within_the_limit_need_no_summary():
    emit, events = emitter()
    emit.rejected("a.csv", 1, "bad")
    emit.rejected_unlisted()
    assert len(events()) == 1


def test_secrets_do_not_pass():
    lines = []
    Emitter(lines.append, Masker(["s3cret"]).mask_json).emit(
        "metrics_error", {"message": "token s3cret is wrong", "causes": ["s3cret"]}
    )
    assert [json.loads(line) for line in lines] == [
        {"event_type": "metrics_error", "message": "token *** is wrong", "causes": ["***"]}
    ]
