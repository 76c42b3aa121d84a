"""Sources made of files, into a real DuckDB."""

import datetime as dt
import gzip
import os
import shutil
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.connectors.errors import SourceError
from orchestration.connectors.events import Tally
from orchestration.connectors.files import FileSource
from orchestration.connectors.source import FileOrigin, Reading
from orchestration.connectors.sources.csv import CsvOptions

CSV = {"path": "data/*.csv"}
JSONL = {"path": "data/*.jsonl"}


def test_each_of_three_tenants_gets_its_own_rows(workspace):
    for tenant, rows in {"acme": "1,a\n2,b\n", "globex": "3,c\n", "initech": "4,d\n5,e\n"}.items():
        workspace.write(f"{tenant}/things.csv", f"id,name\n{rows}")
        options = {"path": f"{tenant}/things.csv"}
        done = workspace.run_process("csv", options, job=f"{tenant}/things")
        assert (done.exit_code, done.stderr) == (0, "")
        assert done.one("metrics_complete")["tenant_id"] == tenant
    found = {
        tenant: workspace.query("SELECT id, name, _source_file FROM things ORDER BY id", tenant)
        for tenant in ("acme", "globex", "initech")
    }
    assert found == {
        "acme": [(1, "a", "acme/things.csv"), (2, "b", "acme/things.csv")],
        "globex": [(3, "c", "globex/things.csv")],
        "initech": [(4, "d", "initech/things.csv"), (5, "e", "initech/things.csv")],
    }


def test_a_load_emits_what_it_read_and_wrote(workspace):
    workspace.write("data/a.csv", "id,name\n1,a\n2,b\n")
    done = workspace.run("csv", CSV)
    assert [event["event_type"] for event in done.events] == [
        "metrics_extraction",
        "metrics_validation",
        "metrics_writing",
        "checkpoint_saved",
        "metrics_complete",
    ]
    writing = done.one("metrics_writing")
    assert writing.pop("total_bytes") > 0
    assert writing == {
        "table": "acme.things",
        "row_count": 2,
        "columns": [
            {"name": "id", "type": "BIGINT"},
            {"name": "name", "type": "VARCHAR"},
            {"name": "_source_file", "type": "VARCHAR"},
        ],
        "records_written": 2,
        "files_written": 1,
    }
    complete = done.one("metrics_complete")
    assert complete["execution_time_seconds"] > 0
    assert complete["records_per_second"] > 0
    assert {key: complete[key] for key in ("job_name", "status", "records_extracted")} == {
        "job_name": "things",
        "status": "success",
        "records_extracted": 2,
    }


@pytest.mark.parametrize(
    ("source", "name", "text"),
    [("csv", "a.csv", "id\n1\n2\n"), ("jsonl", "a.jsonl", '{"id": 1}\n{"id": 2}\n')],
)
def test_an_unchanged_file_loads_nothing_even_if_the_local_state_is_gone(
    workspace, source, name, text
):
    workspace.write(f"data/{name}", text)
    options = {"path": f"data/{name}"}
    workspace.run_process(source, options)
    shutil.rmtree(workspace.root / ".orchestrate", ignore_errors=True)
    again = workspace.run_process(source, options)
    assert again.exit_code == 0
    assert again.one("metrics_extraction") == {
        "records_extracted": 0,
        "files_read": 0,
        "files_unchanged": 1,
    }
    assert again.one("metrics_writing")["row_count"] == 2
    assert again.one("metrics_writing")["records_written"] == 0
    assert again.all("checkpoint_saved") == []
    assert workspace.loads() == 1


def test_a_file_with_a_new_time_and_the_same_content_loads_nothing(workspace):
    path = workspace.write("data/a.csv", "id\n1\n")
    os.utime(path, (1, 1))
    workspace.run("csv", CSV)
    os.utime(path, (2, 2))
    assert workspace.run("csv", CSV).one("metrics_extraction")["files_unchanged"] == 1
    assert workspace.loads() == 1


def test_a_file_written_in_the_moment_it_was_read_is_not_trusted_by_its_time(workspace):
    path = workspace.write("data/a.csv", "id\n1\n")
    workspace.run("csv", CSV)
    before = path.stat()
    path.write_text("id\n2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    workspace.run("csv", CSV)
    assert workspace.query("SELECT id FROM things") == [(2,)]


def test_a_file_that_changes_while_it_is_read_is_an_error(workspace):
    path = workspace.write("a.csv", "id\n1\n")

    def read(files, reading):
        path.write_text("id\n1\n2\n")
        yield FileOrigin(file=files[0].name, line=int), [{"id": 1}]

    source = FileSource(CsvOptions(path="a.csv"), workspace.root, read)
    plan = source.plan(None)
    reading = Reading(tally=Tally(), emitter=None, known_type=None, name_in_table=str, spool=None)
    with pytest.raises(SourceError) as caught:
        list(source.read(plan, reading))
    assert caught.value.reason == "`a.csv` changed while it was read"


def test_without_a_key_a_changed_file_replaces_what_it_brought_and_a_new_one_adds(workspace):
    workspace.write("data/a.csv", "id,name\n1,a\n2,b\n")
    workspace.write("data/b.csv", "id,name\n3,c\n")
    workspace.run("csv", CSV)
    workspace.write("data/a.csv", "id,name\n2,B\n4,d\n")
    workspace.write("data/c.csv", "id,name\n5,e\n")
    done = workspace.run("csv", CSV)
    assert done.one("metrics_extraction") == {
        "records_extracted": 3,
        "files_read": 2,
        "files_unchanged": 1,
    }
    assert workspace.query("SELECT id, name, _source_file FROM things ORDER BY id") == [
        (2, "B", "data/a.csv"),
        (3, "c", "data/b.csv"),
        (4, "d", "data/a.csv"),
        (5, "e", "data/c.csv"),
    ]


def test_a_file_that_lost_all_its_records_takes_them_out_of_the_table(workspace):
    workspace.write("data/a.csv", "id\n1\n")
    workspace.write("data/b.csv", "id\n2\n")
    workspace.run("csv", CSV)
    workspace.write("data/a.csv", "id\n")
    assert workspace.run("csv", CSV).exit_code == 0
    assert workspace.query("SELECT id FROM things") == [(2,)]
    assert workspace.run("csv", CSV).one("metrics_extraction")["files_unchanged"] == 2


def test_rows_of_a_file_that_was_moved_away_stay(workspace):
    workspace.write("data/a.csv", "id\n1\n")
    path = workspace.write("data/b.csv", "id\n2\n")
    workspace.run("csv", CSV)
    content = path.read_bytes()
    path.unlink()
    workspace.run("csv", CSV)
    path.write_bytes(content)
    workspace.run("csv", CSV)
    assert workspace.query("SELECT id FROM things ORDER BY id") == [(1,), (2,)]
    assert workspace.loads() == 1


def test_with_a_key_records_are_merged(workspace):
    workspace.write("data/a.csv", "id,name\n1,a\n2,b\n")
    workspace.run("csv", {**CSV, "primary_key": "id"})
    workspace.write("data/a.csv", "id,name\n2,B\n")
    workspace.write("data/b.csv", "id,name\n3,c\n")
    workspace.run("csv", {**CSV, "primary_key": "id"})
    assert workspace.query("SELECT id, name FROM things ORDER BY id") == [
        (1, "a"),
        (2, "B"),
        (3, "c"),
    ]


def test_replace_makes_the_table_what_the_files_hold_now(workspace):
    options = {**CSV, "write_disposition": "replace"}
    workspace.write("data/a.csv", "id\n1\n")
    workspace.write("data/b.csv", "id\n2\n")
    workspace.run("csv", options)
    (workspace.root / "data/a.csv").unlink()
    workspace.run("csv", options)
    assert workspace.query("SELECT id FROM things") == [(2,)]
    workspace.run("csv", options)
    assert workspace.loads() == 2


def test_broken_csv_records_are_skipped_and_named_by_file_and_line(workspace):
    workspace.write(
        "data/a.csv",
        b'id,name\n1,a\n2\n3,c,x\n\n4,"multi\nline"\n5,"a"b\n6,caf\xe9\n7,\xc3\xa9\n8,"open\n9,z\n',
    )
    done = workspace.run("csv", CSV)
    assert done.exit_code == 1
    assert done.all("record_skipped") == [
        {"file": "data/a.csv", "line": 3, "reason": "1 fields where the header has 2"},
        {"file": "data/a.csv", "line": 4, "reason": "3 fields where the header has 2"},
        {"file": "data/a.csv", "line": 8, "reason": "',' expected after '\"'"},
        {
            "file": "data/a.csv",
            "line": 11,
            "reason": "a quoted field is never closed, up to the end of the file in line 12",
        },
        {
            "file": "data/a.csv",
            "line": 9,
            "reason": "bytes that are no text in the encoding of the file",
        },
    ]
    assert done.one("metrics_complete")["status"] == "partial"
    assert done.one("metrics_validation") == {
        "records_valid": 3,
        "records_invalid": 5,
        "validation_rate": 0.375,
    }
    assert workspace.query("SELECT id, name FROM things ORDER BY id") == [
        (1, "a"),
        (4, "multi\nline"),
        (7, "é"),
    ]


def test_a_file_with_rejects_stays_a_partial_success_until_it_is_mended(workspace):
    workspace.write("data/a.csv", "id\n1\n2,x\n")
    assert workspace.run("csv", CSV).exit_code == 1
    again = workspace.run("csv", CSV)
    assert again.exit_code == 1
    assert again.all("record_skipped") == [
        {
            "file": "data/a.csv",
            "reason": "rejected when the file was loaded; the file has not changed since",
            "records": 1,
        }
    ]
    assert again.one("metrics_complete")["records_invalid"] == 1
    assert workspace.loads() == 1
    workspace.write("data/a.csv", "id\n1\n2\n")
    assert workspace.run("csv", CSV).exit_code == 0
    assert workspace.query("SELECT id FROM things ORDER BY id") == [(1,), (2,)]


def test_broken_json_lines_are_skipped_and_named_by_file_and_line(workspace):
    lines = [
        '{"id": 1}',
        '{"id": 2',
        "",
        "[3]",
        '{"id": NaN}',
        '{"id": "\\ud800"}',
        "[" * 100_000,
        '{"id": 4}',
    ]
    workspace.write("data/a.jsonl", "\n".join(lines).encode() + b'\n{"id": "\xff"}\n')
    done = workspace.run("jsonl", JSONL)
    assert done.exit_code == 1
    assert [(each["line"], each["reason"]) for each in done.all("record_skipped")] == [
        (2, "no valid JSON: Expecting ',' delimiter (column 9)"),
        (4, "valid JSON, but no object"),
        (5, "no valid JSON: NaN is no number"),
        (6, "characters that are no text in UTF-8"),
        (7, "nested too deeply"),
        (9, "characters that are no text in UTF-8"),
    ]
    assert workspace.query("SELECT id FROM things ORDER BY id") == [(1,), (4,)]


def test_a_file_without_one_good_record_fails_and_changes_nothing(workspace):
    workspace.write("data/a.csv", "id,name\n1;a\n2;b\n")
    done = workspace.run("csv", CSV)
    assert done.exit_code == 2
    assert done.stderr == (
        "error ORC615: none of 2 records could be read\n"
        "   help: see the `record_skipped` events; nothing was loaded\n"
    )
    assert done.one("metrics_complete")["status"] == "failure"
    assert workspace.tables() == []


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("csv", "id,part,name\n1,1,a\n,1,b\n2,,c\n"),
        (
            "jsonl",
            """{"id": 1, "part": 1, "name": "a"}\n{"part": 1, "name": "b"}\n{"id": 2, "part": null}""",
        ),
    ],
)
def test_a_record_without_a_value_for_its_key_is_skipped(workspace, source, text):
    workspace.write("data.txt", text)
    done = workspace.run(source, {"path": "data.txt", "primary_key": ["id", "part"]})
    assert done.exit_code == 1
    assert [each["reason"] for each in done.all("record_skipped")] == [
        "no value for `id`, which is in the primary key",
        "no value for `part`, which is in the primary key",
    ]
    assert workspace.query("SELECT name FROM things") == [("a",)]


def test_a_parquet_file_whose_key_has_gaps_is_refused(workspace):
    pq.write_table(pa.table({"id": [1, None]}), workspace.root / "a.parquet")
    done = workspace.run("parquet", {"path": "a.parquet", "primary_key": "id"})
    assert done.one("metrics_error")["message"] == (
        "`a.parquet` has rows without a value for `id`, which is in the primary key"
    )


def test_a_chunk_of_nothing_but_broken_bytes_is_no_obstacle(workspace):
    bad = b"1,\xff\n" * 20_000
    workspace.write("data/a.csv", b"id,name\n" + bad + b"2,b\n")
    done = workspace.run("csv", CSV)
    assert done.one("metrics_validation")["records_invalid"] == 20_000
    assert done.all("record_skipped")[-1] == {
        "reason": "not listed one by one",
        "records": 19_000,
    }
    assert workspace.query("SELECT id, name FROM things") == [(2, "b")]


def test_columns_of_csv_files_get_types_that_fit_all_files(workspace):
    workspace.write(
        "data/a.csv",
        "id,zip,price,ok,day,at,note\n1,00501,1,true,2024-01-31,2024-01-31T10:00:00+02:00,\n",
    )
    workspace.write(
        "data/b.csv",
        "id,zip,price,ok,day,at,note\n2,10001,2.5,FALSE,2024-02-01,2024-02-01T00:00:00Z,x\n",
    )
    workspace.run("csv", CSV)
    assert workspace.query("SELECT * EXCLUDE (_source_file, _dlt_load_id) FROM things") == [
        (1, "00501", 1.0, True, dt.date(2024, 1, 31), at(2024, 1, 31, 8), None),
        (2, "10001", 2.5, False, dt.date(2024, 2, 1), at(2024, 2, 1), "x"),
    ]
    assert dict(workspace.query("SELECT column_name, data_type FROM duckdb_columns()"))["at"] == (
        "TIMESTAMP WITH TIME ZONE"
    )


def at(*parts):
    return dt.datetime(*parts, tzinfo=dt.UTC)


def test_declared_types_null_values_and_dialect_are_honoured(workspace):
    workspace.write("data/a.csv", "\ufeffid;'note';n\n7;'a;b';-\n".encode("utf-8"))
    options = {
        **CSV,
        "delimiter": ";",
        "quote": "'",
        "null_values": ["-"],
        "columns": {"id": "text", "n": "bigint"},
    }
    workspace.run("csv", options)
    assert workspace.query("SELECT id, note, n FROM things") == [("7", "a;b", None)]


def test_a_value_that_no_longer_fits_its_column_is_kept_in_another_one(workspace):
    workspace.write("data/a.csv", "id,size\n1,10\n")
    workspace.run("csv", CSV)
    workspace.write("data/b.csv", "id,size\n2,20\n3,large\n")
    done = workspace.run("csv", CSV)
    assert done.one("schema_changed") == {
        "table": "acme.things",
        "new_columns": [{"name": "size__v_text", "type": "VARCHAR"}],
    }
    assert workspace.query("SELECT id, size, size__v_text FROM things ORDER BY id") == [
        (1, 10, None),
        (2, 20, None),
        (3, None, "large"),
    ]


def test_nested_values_of_json_lines_become_json_columns_and_large_numbers_texts(workspace):
    workspace.write(
        "data/a.jsonl",
        '{"id": 1, "tags": ["a"], "place": {"x": 1}, "big": 98765432109876543210}\n',
    )
    workspace.run("jsonl", JSONL)
    assert workspace.query("SELECT id, tags, place, big FROM things") == [
        (1, '["a"]', '{"x":1}', "98765432109876543210")
    ]
    assert workspace.tables() == ["things"]


def test_gzipped_files_are_unpacked(workspace):
    workspace.write("data/a.csv.gz", gzip.compress(b"id\n1\n"))
    workspace.write("data/a.jsonl.gz", gzip.compress(b'{"id": 2}\n'))
    workspace.run("csv", {"path": "data/a.csv.gz"}, job="acme/from_csv")
    workspace.run("jsonl", {"path": "data/*.jsonl.gz"}, job="acme/from_jsonl")
    assert workspace.query("SELECT id FROM from_csv UNION ALL SELECT id FROM from_jsonl") == [
        (1,),
        (2,),
    ]


def test_parquet_keeps_its_types(workspace):
    table = pa.table(
        {
            "i": pa.array([1], pa.int32()),
            "f": [1.5],
            "d": pa.array([Decimal("1.20")]),
            "t": pa.array(["x"]).dictionary_encode(),
            "day": [dt.date(2024, 1, 31)],
            "at": pa.array([at(2024, 1, 31)]),
            "list": [[1, 2]],
        }
    )
    (workspace.root / "data").mkdir()
    pq.write_table(table, workspace.root / "data/a.parquet")
    done = workspace.run_process("parquet", {"path": "data/a.parquet"})
    assert done.exit_code == 0
    assert workspace.query("SELECT * EXCLUDE (_source_file, _dlt_load_id) FROM things") == [
        (1, 1.5, Decimal("1.20"), "x", dt.date(2024, 1, 31), at(2024, 1, 31), "[1,2]")
    ]
    types = {column["name"]: column["type"] for column in done.one("metrics_writing")["columns"]}
    assert types == {
        "i": "INTEGER",
        "f": "DOUBLE",
        "d": "DECIMAL(3,2)",
        "t": "VARCHAR",
        "day": "DATE",
        "at": "TIMESTAMP WITH TIME ZONE",
        "list": "JSON",
        "_source_file": "VARCHAR",
    }


def test_a_parquet_column_that_changed_its_type_is_never_rounded(workspace):
    (workspace.root / "data").mkdir()
    pq.write_table(pa.table({"n": [1]}), workspace.root / "data/a.parquet")
    workspace.run("parquet", {"path": "data/*.parquet"})
    pq.write_table(pa.table({"n": [2.0]}), workspace.root / "data/b.parquet")
    pq.write_table(pa.table({"n": [2.5]}), workspace.root / "data/c.parquet")
    workspace.run("parquet", {"path": "data/*.parquet"})
    assert workspace.query("SELECT n, n__v_double FROM things ORDER BY _source_file") == [
        (1, None),
        (2, None),
        (None, 2.5),
    ]


def test_other_options_read_the_files_again_and_another_path_alone_does_not(workspace):
    workspace.write("data/a.csv", "id;n\n1;-\n")
    options = {"path": "data/a.csv", "delimiter": ";"}
    workspace.run("csv", options)
    workspace.run("csv", {**options, "null_values": ["-"]})
    assert workspace.query("SELECT id, n FROM things") == [(1, None)]
    again = workspace.run("csv", {**options, "null_values": ["-"], "path": "data/*.csv"})
    assert again.one("metrics_extraction")["files_unchanged"] == 1


def test_a_declared_type_that_the_table_does_not_have_needs_a_full_refresh(workspace):
    workspace.write("data/a.csv", "id\n1\n")
    workspace.run("csv", CSV)
    declared = {**CSV, "columns": {"id": "text"}}
    done = workspace.run("csv", declared)
    assert done.stderr == (
        "error ORC613: the column `id` of `acme.things` is bigint, not text\n"
        "   help: take it out of `columns`, or load everything again with "
        "`orchestrate run --full-refresh`\n"
    )
    workspace.run("csv", declared, full_refresh=True)
    assert workspace.query("SELECT id FROM things") == [("1",)]


def test_a_declared_type_never_rounds_what_a_parquet_file_holds(workspace):
    pq.write_table(pa.table({"n": [1.5], "m": [2.0]}), workspace.root / "a.parquet")
    options = {"path": "a.parquet", "columns": {"n": "bigint", "m": "bigint"}}
    workspace.run("parquet", options)
    assert workspace.query("SELECT m, n__v_double FROM things") == [(2, 1.5)]


def test_a_declared_type_never_rounds_what_a_json_line_holds(workspace):
    workspace.write("a.jsonl", '{"n": 1.5, "m": 2.0}\n')
    options = {"path": "a.jsonl", "columns": {"n": "bigint", "m": "bigint"}}
    workspace.run("jsonl", options)
    assert workspace.query("SELECT m, n__v_double FROM things") == [(2, 1.5)]


def test_a_full_refresh_starts_over_with_new_types_and_no_rest_of_the_old(workspace):
    workspace.write("data/a.csv", "id,old\n1,10\n")
    workspace.run("csv", {**CSV, "primary_key": "id"})
    workspace.write("data/a.csv", "id,new\nx1,2\n")
    done = workspace.run("csv", {**CSV, "primary_key": "id"}, full_refresh=True)
    assert done.exit_code == 0
    assert done.all("schema_changed") == []
    assert workspace.query("SELECT * EXCLUDE (_dlt_load_id) FROM things") == [
        ("x1", 2, "data/a.csv")
    ]
    again = workspace.run("csv", {**CSV, "primary_key": "id"})
    assert again.one("metrics_extraction")["files_unchanged"] == 1


def test_a_table_that_somebody_dropped_is_loaded_again(workspace):
    workspace.write("data/a.csv", "id\n1\n")
    workspace.run("csv", CSV)
    with duckdb.connect(str(workspace.root / "warehouse/acme.duckdb")) as database:
        database.execute("DROP TABLE things")
    assert workspace.run("csv", CSV).one("metrics_writing")["row_count"] == 1


HEADER_HELP = "the first line names the columns, with `,` between them"
CUT_SHORT = "Compressed file ended before the end-of-stream marker was reached"
LEAVES_HELP = "keep the data inside the folder of `runner.yaml`, or write the absolute path"


@pytest.mark.parametrize(
    ("options", "error", "help_text"),
    [
        (
            {"path": "data/nothing.csv"},
            "ORC610: no file matches `data/nothing.csv`",
            "the path starts from `{root}`; is the file there, and may it be read?",
        ),
        (
            {"path": "../outside.csv"},
            "ORC613: `../outside.csv` leads out of `{root}`, to `{outside}`",
            LEAVES_HELP,
        ),
        (
            {"path": "link.csv"},
            "ORC613: `link.csv` leads out of `{root}`, to `{outside}`",
            LEAVES_HELP,
        ),
        ({"path": "empty.csv"}, "ORC610: the header of `empty.csv` is missing", HEADER_HELP),
        (
            {"path": "twice.csv"},
            "ORC610: the header of `twice.csv` has the column `a` twice",
            HEADER_HELP,
        ),
        (
            {"path": "gap.csv"},
            "ORC610: the header of `gap.csv` has a column without a name",
            HEADER_HELP,
        ),
        (
            {"path": "one.csv", "primary_key": "c"},
            "ORC610: the header of `one.csv` has no `c`, which is in the primary key",
            HEADER_HELP,
        ),
        (
            {"path": "cut.csv.gz"},
            f"ORC610: `cut.csv.gz` cannot be read: {CUT_SHORT}",
            "is the file whole, and readable?",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_sentence(workspace, options, error, help_text):
    outside = workspace.root.parent / "outside.csv"
    outside.write_text("id\n1\n")
    (workspace.root / "link.csv").symlink_to(outside)
    workspace.write("empty.csv", "")
    workspace.write("gap.csv", "a,,c\n1,2,3\n")
    workspace.write("one.csv", "a,b\n1,2\n")
    workspace.write("twice.csv", "a,b,a\n1,2,3\n")
    workspace.write("cut.csv.gz", gzip.compress(os.urandom(10_000))[:5_000])
    done = workspace.run("csv", options)
    expected = f"error {error}\n   help: {help_text}\n"
    expected = expected.format(root=workspace.root, outside=outside)
    assert (done.exit_code, done.stderr) == (2, expected)
    assert done.one("metrics_error")["message"] in expected
    assert done.events[-1]["event_type"] == "metrics_complete"
    assert workspace.tables() == []


def test_an_absolute_path_is_meant(workspace):
    outside = workspace.root.parent / "outside.csv"
    outside.write_text("id\n1\n")
    workspace.run("csv", {"path": str(outside)})
    assert workspace.query("SELECT id, _source_file FROM things") == [(1, str(outside))]


def test_a_path_of_the_container_means_the_same_one_below_the_workspace(workspace):
    workspace.write("data/a.csv", "id\n1\n")
    done = workspace.run(
        "csv",
        {"path": "/app/data/a.csv"},
        target={"connector": "duckdb", "options": {"path": "/app/warehouse/acme.duckdb"}},
    )
    assert (done.exit_code, done.stderr) == (0, "")
    assert workspace.query("SELECT id, _source_file FROM things") == [(1, "data/a.csv")]
