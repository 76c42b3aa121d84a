"""Dead letters that are loaded again: each is a row or a letter, never both, never neither."""

import json
import random
import sqlite3
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

JSONL = {"path": "data/*.jsonl"}


def lines(*records):
    return "".join(f"{json.dumps(record)}\n" for record in records)


@pytest.fixture
def bad(definition):
    return definition(("size", "integer", "required"), validation="warn")


@pytest.fixture
def mended(definition):
    return definition(("size", "integer"))


def test_what_the_definition_now_allows_is_loaded_and_the_rest_goes_back(
    workspace, bad, mended, replay
):
    workspace.write("data/a.jsonl", lines({"id": 1, "size": 1}, {"id": 2}, {"id": 3, "size": "x"}))
    workspace.write("data/b.jsonl", lines({"id": 4, "size": 4}, {"id": 5}))
    workspace.run("jsonl", JSONL, schema=bad)
    done = workspace.run("jsonl", JSONL, schema=mended, replay=replay(), run_id="r2", attempt=1)
    assert (done.exit_code, done.stderr) == (1, "")
    assert workspace.query("SELECT id, size, _source_file FROM things ORDER BY id") == [
        (1, 1, "data/a.jsonl"),
        (2, None, "data/a.jsonl"),
        (4, 4, "data/b.jsonl"),
        (5, None, "data/b.jsonl"),
    ]
    assert workspace.letters("file, position, reason, failures, run_id") == [
        ("data/a.jsonl", 3, "`size` is a string, not an integer", 2, "r2")
    ]
    complete = done.one("metrics_complete")
    counted = ("records_extracted", "records_valid", "records_invalid")
    assert [complete[name] for name in counted] == [3, 2, 1]


def test_after_a_replay_the_job_goes_on_where_it_was(workspace, bad, mended, replay):
    workspace.write("data/a.jsonl", lines({"id": 1, "size": 1}, {"id": 2}))
    workspace.run("jsonl", JSONL, schema=bad)
    assert workspace.run("jsonl", JSONL, schema=mended, replay=replay()).exit_code == 0
    again = workspace.run("jsonl", JSONL, schema=mended)
    assert (again.exit_code, again.one("metrics_extraction")["files_unchanged"]) == (0, 1)
    workspace.write("data/a.jsonl", lines({"id": 1, "size": 1}, {"id": 2}, {"id": 3}))
    workspace.run("jsonl", JSONL, schema=mended)
    assert workspace.query("SELECT id FROM things ORDER BY id") == [(1,), (2,), (3,)]


def test_a_replay_that_is_tried_only_changes_nothing(workspace, bad, mended, replay):
    workspace.write("data/a.jsonl", lines({"id": 1, "size": 1}, {"id": 2}, {"id": 3, "size": "x"}))
    workspace.run("jsonl", JSONL, schema=bad)
    before = workspace.letters("*")
    done = workspace.run("jsonl", JSONL, schema=mended, replay=replay(dry_run=True))
    assert done.exit_code == 1
    assert done.one("metrics_validation")["records_valid"] == 1
    assert workspace.letters("*") == before
    assert workspace.query("SELECT id FROM things") == [(1,)]


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ({"limit": 1}, 2),
        ({"stage": "read"}, 2),
        ({"stage": "validate"}, 1),
        ({"run": "first"}, 1),
        ({"run": "none"}, 3),
    ],
)
def test_only_what_was_asked_for_is_replayed(workspace, bad, replay, chosen, left):
    workspace.write("data/a.jsonl", lines({"id": 1, "size": 1}, {"id": 2}) + '{"id" 3}\n')
    workspace.run("jsonl", JSONL, schema=bad, run_id="first-run")
    workspace.write("data/b.jsonl", lines({"id": 4, "size": 4}, {"id": 5}))
    workspace.run("jsonl", JSONL, schema=bad, run_id="second-run")
    workspace.run("jsonl", JSONL, replay=replay(**chosen), run_id="third")
    untouched = [run for (run,) in workspace.letters("run_id") if run != "third"]
    assert len(untouched) == left


def test_csv_texts_are_typed_again(workspace, definition, replay):
    workspace.write("a.csv", "id,amount,day\n1,1,2026-01-31\n007,2.50,soon\n3,,2026-02-01\n4,x,\n")
    options = {"path": "a.csv"}
    first = definition(("amount", "integer", "required"), ("day", "date"), validation="warn")
    workspace.run("csv", options, schema=first)
    assert workspace.letters("position, reason, record") == [
        (
            3,
            "`amount` is not an integer; `day` is not a date",
            '{"id": "007", "amount": "2.50", "day": "soon"}',
        ),
        (4, "`amount` has no value", '{"id": "3", "amount": "", "day": "2026-02-01"}'),
        (5, "`amount` is not an integer", '{"id": "4", "amount": "x", "day": ""}'),
    ]
    done = workspace.run("csv", options, schema=definition(("day", "date")), replay=replay())
    assert done.exit_code == 1
    assert workspace.query("SELECT id, amount, CAST(day AS VARCHAR) FROM things ORDER BY id") == [
        ("1", 1, "2026-01-31"),
        ("3", None, "2026-02-01"),
        ("4", None, None),
    ]


def test_a_broken_line_is_read_again_as_the_options_now_say(workspace, replay):
    workspace.write("a.csv", "id,name\n1,a\n,b\n3,c,d\n")
    keyed = {"path": "a.csv", "primary_key": ["id", "name"], "columns": {"id": "text"}}
    workspace.run("csv", keyed)
    assert workspace.letters("position, stage") == [(3, "read"), (4, "read")]
    nothing = {**keyed, "null_values": ["-"]}
    done = workspace.run("csv", nothing, replay=replay())
    assert done.exit_code == 1
    assert workspace.query("SELECT id, name FROM things ORDER BY id") == [("", "b"), ("1", "a")]
    assert workspace.letters("position, reason, failures") == [
        (4, "3 fields where the header has 2", 2)
    ]


def test_records_of_a_database_come_back_with_their_types(workspace, definition, replay):
    with sqlite3.connect(workspace.root / "data.db") as database:
        database.execute("CREATE TABLE things (id, raw, at)")
        rows = [(1, b"\x01", "2026-01-31T10:00:00Z"), ("x", b"\xff\x00", "2026-01-31T11:00:00Z")]
        database.executemany("INSERT INTO things VALUES (?, ?, ?)", rows)
    database.close()
    options = {"path": "data.db", "table": "things", "incremental": {"cursor": "at"}}
    fields = (("raw", "binary"), ("at", "timestamp"))
    workspace.run(
        "sqlite", options, schema=definition(("id", "integer"), *fields, validation="warn")
    )
    done = workspace.run("sqlite", options, schema=definition(*fields), replay=replay())
    assert done.exit_code == 0
    assert workspace.query("SELECT id, id__v_text, raw FROM things ORDER BY id") == [
        (1, None, b"\x01"),
        (None, "x", b"\xff\x00"),
    ]
    assert workspace.run("sqlite", options, schema=definition(*fields)).exit_code == 0
    assert workspace.query("SELECT count(*) FROM things") == [(2,)]


def test_rows_of_a_parquet_file_come_back_with_their_types(workspace, definition, replay):
    table = pa.table(
        {"id": [1, None], "price": pa.array(["1.50", "2.25"]).cast(pa.decimal128(10, 2))}
    )
    pq.write_table(table, workspace.root / "a.parquet")
    options = {"path": "a.parquet"}
    strict = definition(("id", "integer", "required"), validation="warn")
    workspace.run("parquet", options, schema=strict)
    done = workspace.run("parquet", options, schema=definition(("id", "integer")), replay=replay())
    assert done.exit_code == 0
    found = workspace.query("SELECT id, CAST(price AS VARCHAR) FROM things ORDER BY id")
    assert found == [(1, "1.50"), (None, "2.25")]


def test_a_replayed_record_is_merged_by_its_key(workspace, bad, mended, replay):
    options = {**JSONL, "primary_key": "id"}
    workspace.write("data/a.jsonl", lines({"id": 1, "size": 1}, {"id": 2, "size": 2}))
    workspace.run("jsonl", options, schema=bad)
    workspace.write("data/b.jsonl", lines({"id": 2}, {"id": 3}))
    workspace.run("jsonl", options, schema=bad)
    assert workspace.run("jsonl", options, schema=mended, replay=replay()).exit_code == 0
    found = workspace.query("SELECT id, size FROM things ORDER BY id")
    assert found == [(1, 1), (2, None), (3, None)]


def test_older_letters_are_replayed_first(workspace, bad, mended, replay):
    options = {**JSONL, "primary_key": "id"}
    workspace.write("data/a.jsonl", lines({"id": 1, "size": 1}, {"id": 2, "name": "old"}))
    workspace.run("jsonl", options, schema=bad)
    workspace.write("data/b.jsonl", lines({"id": 2, "name": "new"}))
    workspace.run("jsonl", options, schema=bad)
    for left in (1, 0):
        done = workspace.run("jsonl", options, schema=mended, replay=replay(limit=1))
        assert (done.exit_code, len(workspace.letters())) == (0, left)
    assert workspace.query("SELECT id, name FROM things ORDER BY id") == [(1, None), (2, "new")]


def test_what_came_before_is_dropped_and_its_letter_goes(workspace, bad, mended, replay):
    dedup = {"key": ["id"], "within_seconds": 3600, "max_keys": 100}
    workspace.write("data/a.jsonl", lines({"id": 1}, {"id": 2}, {"id": 3, "size": 1}))
    workspace.run("jsonl", JSONL, schema=bad, dedup=dedup)
    workspace.write("data/b.jsonl", lines({"id": 1, "size": 5}))
    workspace.run("jsonl", JSONL, schema=bad, dedup=dedup)
    done = workspace.run("jsonl", JSONL, schema=mended, dedup=dedup, replay=replay())
    assert (done.exit_code, done.one("metrics_complete")["records_duplicate"]) == (0, 1)
    assert workspace.query("SELECT id, size FROM things ORDER BY id") == [(1, 5), (2, None), (3, 1)]
    assert workspace.letters() == []


def test_a_table_that_is_gone_takes_no_letters(workspace, bad, mended, replay):
    workspace.write("data/a.jsonl", lines({"id": 1, "size": 1}, {"id": 2}))
    workspace.run("jsonl", JSONL, schema=bad)
    with duckdb.connect(str(workspace.root / "warehouse/acme.duckdb")) as database:
        database.execute("DROP TABLE things")
    done = workspace.run("jsonl", JSONL, schema=mended, replay=replay())
    assert done.stderr == (
        "error ORC613: `acme.things` is not the table that the job has loaded\n"
        "   help: run the job first; what it reads again needs no replay\n"
    )


def test_letters_alone_make_the_table(workspace, bad, mended, replay):
    workspace.write("data/a.jsonl", lines({"id": 1}, {"id": 2}))
    assert workspace.run("jsonl", JSONL, schema=bad).exit_code == 1
    assert workspace.tables() == []
    assert workspace.run("jsonl", JSONL, schema=mended, replay=replay()).exit_code == 0
    assert workspace.query("SELECT id FROM things ORDER BY id") == [(1,), (2,)]
    assert workspace.run("jsonl", JSONL, schema=mended).exit_code == 0


def test_without_letters_there_is_nothing_to_do(workspace, mended, replay):
    workspace.write("data/a.jsonl", lines({"id": 1}))
    for order in ({}, {"replay": replay()}):
        done = workspace.run("jsonl", JSONL, schema=mended, **order)
        assert (done.exit_code, done.stderr) == (0, "")
    assert workspace.query("SELECT id FROM things") == [(1,)]


# Runs the connector process, and kills it at that audit event (opening a file, importing, ...); says
# at the end how many there were.
_KILLER = """
import os, runpy, signal, sys
seen, last = 0, int(sys.argv[1])
def watch(*_):
    global seen
    seen += 1
    if seen == last:
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
try:
    runpy.run_module("orchestration.connectors", run_name="__main__")
finally:
    print(seen, file=sys.stderr)
"""
TENANTS = {"acme": 3_000, "globex": 3_000, "initech": 4_000}
KILLS = 4


def test_ten_thousand_letters_of_three_tenants_survive_kills_at_any_moment(
    workspace, definition, replay
):
    """None is lost, none is doubled, and no tenant gets those of another."""
    target = {"connector": "duckdb", "options": {"path": "warehouse/all.duckdb"}}
    for tenant, count in TENANTS.items():
        good = {"id": f"{tenant} good"}
        bad_ones = [{"id": f"{tenant} {number}", "size": "x"} for number in range(count)]
        workspace.write(f"{tenant}.jsonl", lines(good, *bad_ones))
        strict = definition(("size", "integer"), validation="warn")
        options = {"path": f"{tenant}.jsonl"}
        workspace.run("jsonl", options, job=f"{tenant}/things", target=target, schema=strict)
        assert count_all(workspace, tenant) == [0, count]
    moments = random.Random(20261122)
    for tenant, count in TENANTS.items():
        options = {"path": f"{tenant}.jsonl"}
        order = {"job": f"{tenant}/things", "target": target, "schema": definition()}
        tried = run_until(workspace, -1, options, **order, replay=replay(dry_run=True))
        events = int(tried.stderr)
        for _ in range(KILLS):
            moment = moments.randrange(events // 2, events + events // 10)
            run_until(workspace, moment, options, **order, replay=replay(limit=500))
            assert sum(count_all(workspace, tenant)) == count
        assert run_until(workspace, -1, options, **order, replay=replay()).exit_code == 0
        assert count_all(workspace, tenant) == [count, 0]
    for tenant, count in TENANTS.items():
        found = workspace.query(f"SELECT id FROM {tenant}.things ORDER BY id", "all")
        expected = sorted([f"{tenant} good", *(f"{tenant} {number}" for number in range(count))])
        assert [name for (name,) in found] == expected


def run_until(workspace, event, options, **order):
    return workspace.run_process("jsonl", options, program=("-c", _KILLER, str(event)), **order)


def count_all(workspace, tenant):
    """How many of the letters that there were are rows now, and how many are letters."""
    rows = f"SELECT count(*) FROM {tenant}.things WHERE id <> '{tenant} good'"
    letters = f"SELECT count(*) FROM {tenant}_dead_letters.things"
    return [workspace.query(sql, "all")[0][0] for sql in (rows, letters)]


KEYS = {
    "day": ("date", "2026-01-01", "2026-01-02"),
    "at": ("timestamp", "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"),
    "price": ("double", "1.50", "1.5000001"),
    "on": ("bool", "true", "false"),
}


@pytest.mark.parametrize("name", KEYS)
def test_a_letter_goes_when_its_record_comes_again_whatever_its_key_is_made_of(
    workspace, definition, replay, name
):
    """Of two keys that differ in one part, the one of the other record stays."""
    kind, key, other = KEYS[name]
    options = {"path": "*.csv", "primary_key": ["id", name], "columns": {name: kind}}
    schema = definition(("size", "integer"), validation="warn")
    header = f"id,{name},size,note\n"
    workspace.write("a.csv", f"{header}1,{key},1,a\n2,{key},x,old\n2,{other},x,other\n")
    workspace.run("csv", options, schema=schema)
    workspace.write("b.csv", f"{header}2,{key},7,new\n")
    workspace.run("csv", options, schema=schema)
    assert [json.loads(record)["note"] for (record,) in workspace.letters("record")] == ["other"]
    workspace.run("csv", options, schema=definition(), replay=replay())
    found = workspace.query("SELECT id, note FROM things ORDER BY note")
    assert found == [(1, "a"), (2, "new"), (2, "other")]


UNSURE = (
    "a row with its key may be newer: replay the letter by its id to put it in the place of the row,"
    " or drop it"
)


@pytest.fixture
def decimals(workspace):
    """Writes a Parquet file whose key is a decimal and some bytes."""

    def write(name, *rows):
        prices, raws, sizes, notes = zip(*rows, strict=True)
        columns = {
            "price": pa.array(map(Decimal, prices), pa.decimal128(10, 2)),
            "raw": pa.array(raws, pa.binary()),
            "size": pa.array(sizes, pa.int64()),
            "note": pa.array(notes),
        }
        pq.write_table(pa.table(columns), workspace.root / name)

    return write


def test_decimals_and_bytes_are_keys_too(workspace, bad, mended, replay, decimals):
    options = {"path": "*.parquet", "primary_key": ["price", "raw"]}
    decimals("a.parquet", ("1.50", b"\xff", 1, "a"), ("2.50", b"\x00'", None, "old"))
    decimals("b.parquet", ("2.51", b"\x00'", None, "other"))
    workspace.run("parquet", options, schema=bad)
    decimals("c.parquet", ("2.50", b"\x00'", 7, "new"))
    workspace.run("parquet", options, schema=bad)
    assert len(workspace.letters()) == 1
    workspace.run("parquet", options, schema=mended, replay=replay())
    found = workspace.query("SELECT note FROM things ORDER BY note")
    assert found == [("a",), ("new",), ("other",)]


def test_a_line_that_can_be_read_at_last_does_not_take_the_place_of_a_newer_row(workspace, replay):
    options = {"path": "*.csv", "primary_key": ["id", "day"], "columns": {"id": "bigint"}}
    workspace.write("a.csv", 'id,day,note\n1,2026-01-01,a\n2,2026-01-01,"old" one\n')
    workspace.write("b.csv", 'id,day,note\n3,2026-01-01,"only" one\n4,2026-01-02,d\n')
    workspace.run("csv", options)
    assert workspace.letters("stage") == [("read",), ("read",)]
    workspace.write("c.csv", "id,day,note\n2,2026-01-01,new\n4,2026-01-02,e\n")
    workspace.run("csv", options)
    tried = workspace.run("csv", {**options, "quote": "'"}, replay=replay(dry_run=True))
    done = workspace.run("csv", {**options, "quote": "'"}, replay=replay())
    for run in (tried, done):
        assert (run.exit_code, run.one("metrics_complete")["records_invalid"]) == (1, 1)
    rows = [(1, "a"), (2, "new"), (3, '"only" one'), (4, "e")]
    assert workspace.query("SELECT id, note FROM things ORDER BY id") == rows
    [(letter, reason)] = workspace.letters("id, reason")
    assert reason == UNSURE

    workspace.run("csv", {**options, "quote": "'"}, replay=replay(id=letter))
    rows[1] = (2, '"old" one')
    assert workspace.query("SELECT id, note FROM things ORDER BY id") == rows
    assert workspace.letters() == []


def test_an_older_letter_that_was_replayed_first_does_not_hide_the_newest(
    workspace, definition, replay
):
    options = {"path": "*.csv", "primary_key": "id", "columns": {"id": "bigint"}}
    bad = definition(("size", "integer"), validation="warn")
    workspace.write("a.csv", "id,size,note\n1,1,a\n2,x,old\n")
    workspace.run("csv", options, schema=bad)
    workspace.write("b.csv", 'id,size,note\n2,2,"new" one\n3,3,c\n')
    workspace.run("csv", options, schema=bad)
    assert workspace.letters("stage, file") == [("validate", "a.csv"), ("read", "b.csv")]

    workspace.run("csv", options, schema=definition(), replay=replay())
    done = workspace.run("csv", {**options, "quote": "'"}, schema=definition(), replay=replay())

    assert done.exit_code == 1
    assert [note for (note,) in workspace.query("SELECT note FROM things ORDER BY id")] == [
        "a",
        "old",
        "c",
    ]
    assert workspace.letters("file, reason") == [("b.csv", UNSURE)]


@pytest.mark.parametrize("sizes", [("x", "7"), ("7", "x")], ids=["the row", "the letter"])
def test_of_a_row_and_a_letter_of_one_run_the_one_of_the_later_file_is_the_newer(
    workspace, definition, replay, sizes
):
    options = {"path": "*.csv", "primary_key": "id", "columns": {"id": "bigint"}}
    schema = definition(("size", "integer"), validation="warn")
    workspace.write("1-monday.csv", f"id,size,note\n2,{sizes[0]},OLD\n")
    workspace.write("2-tuesday.csv", f"id,size,note\n2,{sizes[1]},NEW\n")
    workspace.run("csv", options, schema=schema)
    workspace.run("csv", options, schema=definition(), replay=replay())
    assert [note for (note,) in workspace.query("SELECT note FROM things")] == ["NEW"]


def test_of_letters_with_one_key_the_newest_becomes_the_row(workspace, bad, mended, replay):
    options = {**JSONL, "primary_key": "id"}
    for name, note in (("c", "oldest"), ("a", "older"), ("b", "newest")):
        workspace.write(f"data/{name}.jsonl", lines({"id": 1, "note": note}, {"id": 9, "size": 9}))
        workspace.run("jsonl", options, schema=bad, run_id=name)
    done = workspace.run("jsonl", options, schema=mended, replay=replay(run="c"))
    assert (done.exit_code, done.one("metrics_complete")["records_outdated"]) == (0, 1)
    assert workspace.letters("file") == [("data/a.jsonl",), ("data/b.jsonl",)]
    done = workspace.run("jsonl", options, schema=mended, replay=replay())
    assert (done.exit_code, done.one("metrics_complete")["records_outdated"]) == (0, 1)
    found = workspace.query("SELECT id, note FROM things ORDER BY id")
    assert found == [(1, "newest"), (9, None)]


def test_a_letter_that_came_with_a_row_of_its_file_goes_back_unless_it_is_named(
    workspace, bad, mended, replay
):
    options = {**JSONL, "primary_key": "id"}
    workspace.write("data/a.jsonl", lines({"id": 1, "note": "bad"}, {"id": 2, "size": 2}))
    workspace.run("jsonl", options, schema=bad)
    workspace.run("jsonl", options, schema=bad, replay=replay())
    workspace.write("data/a.jsonl", lines({"id": 1, "size": 1}, {"id": 1, "note": "bad"}))
    workspace.run("jsonl", options, schema=bad)
    assert workspace.letters("failures") == [(3,)]
    assert workspace.run("jsonl", options, schema=mended, replay=replay()).exit_code == 1
    [(letter, failures)] = workspace.letters("id, failures")
    assert failures == 4
    named = replay(id=letter)
    assert workspace.run("jsonl", options, schema=mended, replay=named).exit_code == 0
    assert workspace.query("SELECT note FROM things ORDER BY id") == [("bad",), (None,)]


def test_what_went_back_comes_last_and_what_was_cut_off_does_not_come(
    workspace, bad, definition, replay
):
    long = {"id": 1, "note": "x" * 300_000}
    others = [{"id": number, "size": "x" if number < 4 else None} for number in range(2, 6)]
    workspace.write("data/a.jsonl", lines(long, *others))
    workspace.run("jsonl", JSONL, schema=bad, run_id="r1")
    schema = definition(("size", "integer"), validation="warn")
    for run in ("r2", "r3"):
        workspace.run("jsonl", JSONL, schema=schema, replay=replay(limit=2), run_id=run)
    assert workspace.letters("position, run_id, truncated") == [
        (1, "r1", True),
        (2, "r2", False),
        (3, "r2", False),
    ]
    assert workspace.query("SELECT id FROM things ORDER BY id") == [(4,), (5,)]
