"""Dead letters: what they hold, and when they come, count and go."""

import json
import signal
import sqlite3

import pytest

JSONL = {"path": "data/*.jsonl"}
FIELDS = ("id", "integer", "required")
# Runs the connector process and kills it when it does something to a path that holds a text.
_KILLER = """
import os, runpy, signal, sys
event, part = sys.argv[1], sys.argv[2]
def watch(name, details):
    if name == event and part in str(details):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
runpy.run_module("orchestration.connectors", run_name="__main__")
"""


@pytest.fixture
def warn(definition):
    return definition(FIELDS, validation="warn")


def lines(*records):
    return "".join(f"{json.dumps(record)}\n" for record in records)


def texts(workspace):
    return [json.loads(record) for (record,) in workspace.letters("record")]


def test_lines_that_cannot_be_read_become_letters_without_a_definition(workspace):
    workspace.write("data/a.jsonl", '{"id": 1}\n{"id" 2}\n[3]\n')
    assert workspace.run("jsonl", JSONL).exit_code == 1
    assert workspace.letters() == [
        ("data/a.jsonl", 2, "read", "no valid JSON: Expecting ':' delimiter (column 7)", 1),
        ("data/a.jsonl", 3, "read", "valid JSON, but no object", 1),
    ]
    assert texts(workspace) == ['{"id" 2}', "[3]"]


def test_broken_lines_of_a_csv_file_are_kept_as_they_are(workspace):
    content = 'id,name\n1,a\n2\n3,"c\n4,d\n'
    workspace.write("a.csv", content)
    workspace.run("csv", {"path": "a.csv"})
    assert workspace.letters("position, reason") == [
        (3, "1 fields where the header has 2"),
        (4, "a quoted field is never closed, up to the end of the file in line 5"),
    ]
    assert texts(workspace) == ["2", '3,"c\n4,d']
    assert workspace.letters("header") == [('["id", "name"]',)] * 2


def test_bytes_that_are_no_text_are_kept_too(workspace):
    workspace.write("a.csv", b"id,name\n1,a\n2,\xff\n")
    workspace.write("b.jsonl", b'{"id": 1}\n{"id": "\xff"}\n')
    workspace.run("csv", {"path": "a.csv"})
    workspace.run("jsonl", {"path": "b.jsonl"}, job="globex/things")
    assert texts(workspace) == ["2,\udcff"]
    ((record,),) = workspace.letters("record", tenant="globex")
    assert json.loads(record) == '{"id": "\udcff"}'


def test_a_file_that_is_read_again_has_its_letters_judged_again(workspace, warn):
    workspace.write("data/a.jsonl", lines({"id": 1}, {"id": "x"}, {"id": "y"}))
    workspace.write("data/b.jsonl", lines({"id": 2}, {"id": "z"}))
    workspace.run("jsonl", JSONL, schema=warn)
    workspace.write("data/a.jsonl", lines({"id": 1}, {"id": 5}, {"id": 6}, {"id": "y"}))
    workspace.run("jsonl", JSONL, schema=warn, run_id="r2")
    assert workspace.letters("file, position, record, failures, run_id") == [
        ("data/a.jsonl", 4, '{"id": "y"}', 2, "r2"),
        ("data/b.jsonl", 2, '{"id": "z"}', 1, "r1"),
    ]
    assert workspace.query("SELECT id FROM things ORDER BY id") == [(1,), (2,), (5,), (6,)]


def test_letters_that_are_alike_are_told_apart_and_found_again(workspace, warn):
    workspace.write("data/a.jsonl", lines({"id": 1}, {"id": "x"}, {"id": "x"}))
    workspace.run("jsonl", JSONL, schema=warn)
    before = workspace.letters("id, failures")
    workspace.write("data/a.jsonl", lines({"id": "x"}, {"id": "x"}, {"id": 1}, {"id": 2}))
    workspace.run("jsonl", JSONL, schema=warn)
    assert [failures for _, failures in before] == [1, 1]
    assert workspace.letters("id, failures") == [(name, 2) for name, _ in before]


def test_a_full_refresh_judges_everything_again(workspace, warn):
    workspace.write("data/a.jsonl", lines({"id": 1}, {"id": "x"}))
    workspace.run("jsonl", JSONL, schema=warn)
    (workspace.root / "data/a.jsonl").unlink()
    workspace.write("data/b.jsonl", lines({"id": 2}))
    assert workspace.run("jsonl", JSONL, schema=warn, full_refresh=True).exit_code == 0
    assert workspace.letters() == []


def test_a_source_that_is_read_as_a_whole_has_all_its_letters_judged_again(workspace, warn):
    def load(*rows):
        path = workspace.root / "data.db"
        path.unlink(missing_ok=True)
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE things (id)")
            database.executemany("INSERT INTO things VALUES (?)", rows)
        database.close()
        return workspace.run("sqlite", {"path": "data.db", "table": "things"}, schema=warn)

    assert load((1,), ("x",), ("y",)).exit_code == 1
    assert load((1,), (2,), ("y",)).exit_code == 1
    assert workspace.letters("record, failures") == [('{"id": "y"}', 2)]
    assert load((1,), (2,), (3,)).exit_code == 0
    assert workspace.letters() == []


def test_a_run_stays_partial_until_the_letters_of_its_files_are_gone(workspace, warn):
    workspace.write("data/a.jsonl", lines({"id": 1}, {"id": "x"}, {"id": "y"}))
    workspace.run("jsonl", JSONL, schema=warn)
    again = workspace.run("jsonl", JSONL, schema=warn)
    assert (again.exit_code, again.one("record_skipped")["records"]) == (1, 2)
    import duckdb

    with duckdb.connect(str(workspace.root / "warehouse/acme.duckdb")) as database:
        database.execute("DELETE FROM acme_dead_letters.things")
    assert workspace.run("jsonl", JSONL, schema=warn).exit_code == 0


def test_records_that_are_all_wrong_move_the_cursor_and_nothing_else(workspace, warn):
    def load(*rows):
        path = workspace.root / "data.db"
        path.unlink(missing_ok=True)
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE things (id, at)")
            database.executemany("INSERT INTO things VALUES (?, ?)", rows)
        database.close()
        options = {"path": "data.db", "table": "things", "incremental": {"cursor": "at"}}
        return workspace.run("sqlite", options, schema=warn)

    assert load((1, 1), ("x", 2)).exit_code == 1
    assert load((1, 1), ("x", 2), ("y", 3)).exit_code == 1
    assert load((1, 1), ("x", 2), ("y", 3), (4, 4)).exit_code == 0
    assert workspace.query("SELECT id FROM things ORDER BY id") == [(1,), (4,)]
    assert workspace.letters("record, failures") == [
        ('{"id": "x", "at": 2}', 1),
        ('{"id": "y", "at": 3}', 1),
    ]


def test_a_letter_goes_when_a_newer_version_of_its_record_is_loaded(workspace, definition):
    options = {**JSONL, "primary_key": "id"}
    schema = definition(("size", "integer"), validation="warn")
    workspace.write("data/a.jsonl", lines({"id": 1, "size": "x"}, {"id": "2", "size": "y"}))
    workspace.write("data/b.jsonl", lines({"id": "3", "size": 1}))
    workspace.run("jsonl", options, schema=schema)
    workspace.write("data/c.jsonl", lines({"id": "2", "size": 5}))
    workspace.run("jsonl", options, schema=schema)
    assert workspace.letters("record") == [('{"id": 1, "size": "x"}',)]


def test_each_of_three_tenants_in_one_file_has_its_own_letters(workspace, warn):
    target = {"connector": "duckdb", "options": {"path": "warehouse/all.duckdb"}}
    for number, tenant in enumerate(("acme", "globex", "initech"), start=1):
        bad = [{"id": f"{tenant} {at}"} for at in range(number)]
        workspace.write(f"{tenant}.jsonl", lines({"id": number}, *bad))
        options = {"path": f"{tenant}.jsonl"}
        workspace.run("jsonl", options, job=f"{tenant}/things", target=target, schema=warn)
    found = {
        tenant: workspace.query(
            f"SELECT job, record FROM {tenant}_dead_letters.things ORDER BY position", "all"
        )
        for tenant in ("acme", "globex", "initech")
    }
    assert found == {
        "acme": [("acme/things", '{"id": "acme 0"}')],
        "globex": [("globex/things", f'{{"id": "globex {at}"}}') for at in range(2)],
        "initech": [("initech/things", f'{{"id": "initech {at}"}}') for at in range(3)],
    }


@pytest.mark.parametrize(
    "moment",
    [("open", ".parquet"), ("os.rename", "/normalized/"), ("os.rename", "/loaded/")],
    ids=["extracts", "has normalized", "has only to commit"],
)
def test_a_killed_load_leaves_neither_rows_nor_letters(workspace, warn, moment):
    workspace.write("data/a.jsonl", lines({"id": 1}, {"id": "x"}))
    workspace.run("jsonl", JSONL, schema=warn)
    workspace.write("data/b.jsonl", lines({"id": 2}, {"id": "y"}))
    killed = workspace.run_process(
        "jsonl", JSONL, program=("-c", _KILLER, *moment), schema=warn, run_id="r2"
    )
    assert killed.exit_code == -signal.SIGKILL
    assert workspace.query("SELECT id FROM things") == [(1,)]
    assert workspace.letters("record, failures") == [('{"id": "x"}', 1)]
    workspace.run("jsonl", JSONL, schema=warn, run_id="r3")
    assert workspace.query("SELECT id FROM things ORDER BY id") == [(1,), (2,)]
    assert workspace.letters("record, failures") == [('{"id": "x"}', 1), ('{"id": "y"}', 1)]
