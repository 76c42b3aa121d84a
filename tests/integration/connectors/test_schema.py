"""Records that break the asset definition, from each source: nothing is loaded, or the rest is."""

import datetime as dt
import http.server
import json
import sqlite3
import threading
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

FIELDS = (
    ("id", "integer", "required"),
    ("name", "string", "required"),
    ("amount", "number"),
    ("paid", "boolean"),
    ("day", "date"),
    ("at", "timestamp"),
)
GOOD = {
    "id": 1,
    "name": "a",
    "amount": 1.5,
    "paid": True,
    "day": "2026-01-31",
    "at": "2026-01-31T10:00:00Z",
}
# A record that breaks every field that it can, and one that lacks what is required.
WRONG = {"id": "x", "name": 5, "amount": "much", "paid": "maybe", "day": "soon", "at": "later"}
EMPTY = {"id": None, "name": None, "amount": None, "paid": None, "day": None, "at": None}
LACKING = "`id` has no value; `name` has no value"


def write_csv(workspace, records):
    lines = [",".join("" if value is None else str(value) for value in r.values()) for r in records]
    workspace.write("data.csv", "\n".join([",".join(GOOD), *lines]) + "\n")
    return "csv", {"path": "data.csv"}


def write_jsonl(workspace, records):
    workspace.write("data.jsonl", "".join(f"{json.dumps(record)}\n" for record in records))
    return "jsonl", {"path": "data.jsonl"}


def write_sqlite(workspace, records):
    path = workspace.root / "data.db"
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as database:
        database.execute(f"CREATE TABLE things ({', '.join(GOOD)})")
        rows = [tuple(record.values()) for record in records]
        database.executemany("INSERT INTO things VALUES (?, ?, ?, ?, ?, ?)", rows)
    database.close()
    return "sqlite", {"path": "data.db", "table": "things"}


@pytest.fixture
def api():
    """Serves the records of `pages`, one list a page."""
    pages = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(pages).encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        pages.append(server.server_port)
        yield pages
        server.shutdown()


TEXT_REASON = (
    "`id` is not an integer; `amount` is not a number; `paid` is not a boolean; "
    "`day` is not a date; `at` is not a timestamp"
)
VALUE_REASON = (
    "`id` is a string, not an integer; `name` is an integer, not a string; "
    "`amount` is a string, not a number; `paid` is a string, not a boolean; "
    "`day` is not a date; `at` is not a timestamp"
)
SOURCES = {
    "csv": (write_csv, TEXT_REASON, ("data.csv:3", "data.csv:4")),
    "jsonl": (write_jsonl, VALUE_REASON, ("data.jsonl:2", "data.jsonl:3")),
    "sqlite": (write_sqlite, VALUE_REASON, ("record 2", "record 3")),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_strict_loads_nothing_and_names_the_first_records_without_their_values(
    workspace, definition, kind
):
    write, reason, (second, third) = SOURCES[kind]
    source, options = write(workspace, [GOOD, WRONG, EMPTY])
    done = workspace.run(source, options, schema=definition(*FIELDS))
    assert done.exit_code == 2
    assert done.stderr == (
        f"error ORC617: 2 of the first 3 records break `assets/things.yaml`: {second} {reason}, "
        f"{third} {LACKING}\n"
        "   help: nothing was loaded; correct the source or the definition, or let "
        "`schema_validation_mode: warn` set such records aside as dead letters\n"
    )
    assert workspace.tables() == []
    assert done.one("metrics_complete")["records_invalid"] == 2


@pytest.mark.parametrize("kind", SOURCES)
def test_warn_loads_the_good_ones_and_sets_the_others_aside(workspace, definition, kind):
    write, reason, _ = SOURCES[kind]
    source, options = write(workspace, [GOOD, WRONG, EMPTY])
    schema = definition(*FIELDS, validation="warn")
    done = workspace.run(source, options, schema=schema, run_id="run7", attempt=2)
    assert (done.exit_code, done.stderr) == (1, "")
    assert workspace.query("SELECT id, name, amount, paid, CAST(day AS VARCHAR) FROM things") == [
        (1, "a", 1.5, True, "2026-01-31")
    ]
    assert workspace.letters("stage, reason, run_id, attempt, failures, truncated") == [
        ("validate", reason, "run7", 2, 1, False),
        ("validate", LACKING, "run7", 2, 1, False),
    ]
    expected = [WRONG, EMPTY]
    if kind == "csv":
        expected = [
            {name: "" if value is None else str(value) for name, value in record.items()}
            for record in expected
        ]
    assert [json.loads(record) for (record,) in workspace.letters("record")] == expected
    complete = done.one("metrics_complete")
    assert (complete["status"], complete["records_valid"]) == ("partial", 1)


@pytest.mark.parametrize("kind", SOURCES)
def test_records_that_keep_to_the_definition_are_loaded_in_its_types(workspace, definition, kind):
    write, _, _ = SOURCES[kind]
    source, options = write(workspace, [{**GOOD, "amount": 2}])
    done = workspace.run(source, options, schema=definition(*FIELDS))
    assert (done.exit_code, done.stderr) == (0, "")
    types = {column["name"]: column["type"] for column in done.one("metrics_writing")["columns"]}
    types.pop("_source_file", None)
    assert types == {
        "id": "BIGINT",
        "name": "VARCHAR",
        "amount": "DOUBLE",
        "paid": "BOOLEAN",
        "day": "DATE",
        "at": "TIMESTAMP WITH TIME ZONE",
    }


def test_records_of_an_api_are_checked(workspace, definition, api):
    port = api.pop()
    api.extend([{"id": 1, "tags": ["a"]}, {"id": 2, "tags": "a"}, {"tags": []}, {"id": 4}])
    schema = definition(("id", "integer", "required"), ("tags", "array"), validation="warn")
    done = workspace.run("rest", {"url": f"http://127.0.0.1:{port}/"}, schema=schema)
    assert done.exit_code == 1
    assert workspace.query("SELECT id FROM things ORDER BY id") == [(1,), (4,)]
    assert workspace.letters() == [
        (None, 2, "validate", "`tags` is a string, not an array", 1),
        (None, 3, "validate", "`id` has no value", 1),
    ]
    assert done.all("record_skipped") == [
        {"record": 2, "reason": "`tags` is a string, not an array"},
        {"record": 3, "reason": "`id` has no value"},
    ]


def write_parquet(workspace):
    table = pa.table(
        {
            "id": [1, None, 3],
            "day": [dt.date(2026, 1, 31)] * 3,
            "at": pa.array(
                [dt.datetime(2026, 1, 31, 10, tzinfo=dt.UTC)] * 3, pa.timestamp("us", tz="UTC")
            ),
            "price": pa.array([Decimal("1.50")] * 3, pa.decimal128(10, 2)),
            "raw": [b"\x00\x01", b"", None],
            "text": ["a", "b", "c"],
        }
    )
    pq.write_table(table, workspace.root / "data.parquet")


def test_parquet_columns_are_checked_by_their_types_and_letters_keep_them(workspace, definition):
    write_parquet(workspace)
    fields = (("id", "integer", "required"), ("price", "number"), ("raw", "binary"))
    schema = definition(*fields, validation="warn")
    done = workspace.run("parquet", {"path": "data.parquet"}, schema=schema)
    assert done.exit_code == 1
    assert workspace.query("SELECT id FROM things ORDER BY id") == [(1,), (3,)]
    ((record, types),) = workspace.letters("record, types")
    assert json.loads(record) == {
        "id": None,
        "day": "2026-01-31",
        "at": "2026-01-31T10:00:00+00:00",
        "price": "1.50",
        "raw": "",
        "text": "b",
    }
    assert json.loads(types) == {
        "day": "date",
        "at": "timestamp",
        "price": "decimal",
        "raw": "binary",
    }
    assert workspace.letters("position, reason") == [(2, "`id` has no value")]


def test_a_parquet_column_of_another_type_breaks_the_definition(workspace, definition):
    write_parquet(workspace)
    done = workspace.run(
        "parquet", {"path": "data.parquet"}, schema=definition(("text", "integer"))
    )
    assert done.exit_code == 2
    assert "3 of the first 3 records break `assets/things.yaml`: data.parquet:1 " in done.stderr


def test_a_field_that_no_record_has_is_missing_in_each(workspace, definition):
    workspace.write("data.csv", "id\n1\n2\n")
    done = workspace.run(
        "csv", {"path": "data.csv"}, schema=definition(("ID", "integer", "required"))
    )
    assert "data.csv:2 `ID` has no value, data.csv:3 `ID` has no value\n" in done.stderr


def test_strict_does_not_load_around_a_record_that_cannot_be_read(workspace, definition):
    workspace.write("data.jsonl", '{"id": 1}\n{"id": \n')
    schema = definition(("id", "integer"))
    done = workspace.run("jsonl", {"path": "data.jsonl"}, schema=schema)
    assert done.exit_code == 2
    assert done.stderr.startswith("error ORC617: 1 of 2 records could not be read\n")
    assert workspace.tables() == []


def test_the_lines_of_records_are_those_of_the_file(workspace, definition):
    workspace.write("a.jsonl", '\n{"id": 1}\n{"id"\n\n{"id": "x"}\n{"id": 2}\n{"id": "y"}\n')
    workspace.write("b.csv", 'id,note\n1,"two\nlines"\n\nx,a\n2,b,c\ny,"d\ne"\n')
    schema = definition(("id", "integer"), validation="warn")
    workspace.run("jsonl", {"path": "a.jsonl"}, schema=schema)
    workspace.run("csv", {"path": "b.csv"}, schema=schema, job="globex/things")
    assert workspace.letters("position, stage") == [
        (3, "read"),
        (5, "validate"),
        (7, "validate"),
    ]
    assert workspace.letters("position, stage", tenant="globex") == [
        (5, "validate"),
        (6, "read"),
        (7, "validate"),
    ]


def test_a_definition_that_does_not_fit_the_table_is_refused(workspace, definition):
    workspace.write("data.csv", "id,amount\n1,a\n")
    options = {"path": "data.csv"}
    workspace.run("csv", options)
    workspace.write("data.csv", "id,amount\n1,2\n")
    done = workspace.run("csv", options, schema=definition(("amount", "number")))
    assert done.stderr == (
        "error ORC613: the column `amount` of `acme.things` is text, which does not hold every "
        "number\n"
        "   help: correct its type in the definition or in `columns`, or load everything again "
        "with `orchestrate run --full-refresh`\n"
    )
    again = workspace.run(
        "csv", options, schema=definition(("amount", "number")), full_refresh=True
    )
    assert again.exit_code == 0
    assert workspace.query("SELECT amount FROM things") == [(2.0,)]


def test_descriptions_become_the_comments_of_columns(workspace, definition):
    workspace.write("data.csv", "OrderId,name\n1,a\n")
    schema = definition(("OrderId", "integer"), ("name", "string"))
    schema["fields"][0]["description"] = "what the shop's number is"
    workspace.run("csv", {"path": "data.csv"}, schema=schema)
    sql = "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'things'"
    named = dict(workspace.query(sql))
    assert (named["order_id"], named["name"]) == ("what the shop's number is", None)


def test_a_record_of_any_length_is_set_aside_up_to_a_limit(workspace, definition):
    long = {"id": "x" * 300_000}
    workspace.write("data.jsonl", f'{{"id": 1}}\n{json.dumps(long)}\n')
    schema = definition(("id", "integer"), validation="warn")
    workspace.run("jsonl", {"path": "data.jsonl"}, schema=schema)
    assert workspace.letters("length(record), truncated") == [(256 * 1024, True)]


def test_a_job_without_rules_makes_no_tables_of_them(workspace):
    workspace.write("data.csv", "id\n1\n")
    workspace.run("csv", {"path": "data.csv"})
    sql = "SELECT DISTINCT schema_name FROM duckdb_tables()"
    assert {name for (name,) in workspace.query(sql)} <= {"main", "main_staging"}


@pytest.mark.parametrize("kind", SOURCES)
def test_what_is_rejected_leaves_no_trace_in_the_table(workspace, definition, kind):
    write, _, _ = SOURCES[kind]
    schema = definition(*FIELDS, validation="warn")
    source, options = write(workspace, [WRONG])
    assert workspace.run(source, options, schema=schema).exit_code == 1
    assert workspace.tables() == []
    for records in ([GOOD], [{**GOOD, "id": 2}, WRONG], [WRONG, {**WRONG, "id": 5}]):
        done = workspace.run(*write(workspace, records), schema=schema)
        assert done.all("schema_changed") == []
    columns = {column["name"] for column in done.one("metrics_writing")["columns"]}
    assert columns - {"_source_file"} == set(GOOD)


def test_a_csv_record_is_set_aside_with_the_texts_of_its_file(workspace, definition, replay):
    """Not as other records of the load let its columns be read: as a number, or as nothing."""
    content = "id,amount,day,note\n1,1.25,2026-01-31,a\n007,1.50,2026-13-45,NA\n8,3,,-\n"
    workspace.write("data.csv", content)
    options = {"path": "data.csv", "null_values": ["", "NA"]}
    schema = definition(("day", "date", "required"), validation="warn")
    workspace.run("csv", options, schema=schema)
    assert [json.loads(record) for (record,) in workspace.letters("record")] == [
        {"id": "007", "amount": "1.50", "day": "2026-13-45", "note": "NA"},
        {"id": "8", "amount": "3", "day": "", "note": "-"},
    ]
    now = {**options, "null_values": ["", "-"]}
    workspace.run("csv", now, schema=definition(), replay=replay())
    found = workspace.query("SELECT amount, CAST(day AS VARCHAR), note FROM things ORDER BY note")
    assert found == [(1.5, None, "NA"), (1.25, "2026-01-31", "a"), (3.0, None, None)]
