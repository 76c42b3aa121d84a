"""Records that came before are dropped: within a time, and among so many."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

JSONL = {"path": "data/*.jsonl"}
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
IDS = "SELECT id FROM things ORDER BY ALL"


def dedup(*key, within=3600, max_keys=1000):
    return {"key": list(key), "within_seconds": within, "max_keys": max_keys}


def at(**later):
    return lambda: NOON + timedelta(**later)


def write(workspace, name, *ids):
    records = "".join(f"{json.dumps({'id': number, 'file': name})}\n" for number in ids)
    workspace.write(f"data/{name}.jsonl", records)


def ids(workspace):
    return [number for (number,) in workspace.query(IDS)]


def test_a_record_that_came_before_is_dropped_and_counted(workspace):
    write(workspace, "a", 1, 2, 1)
    first = workspace.run("jsonl", JSONL, dedup=dedup("id"))
    write(workspace, "b", 2, 3)
    second = workspace.run("jsonl", JSONL, dedup=dedup("id"))
    assert ids(workspace) == [1, 2, 3]
    assert [done.exit_code for done in (first, second)] == [0, 0]
    assert [done.one("metrics_validation") for done in (first, second)] == [
        {
            "records_valid": 3,
            "records_invalid": 0,
            "records_duplicate": 1,
            "validation_rate": 1.0,
        },
        {
            "records_valid": 2,
            "records_invalid": 0,
            "records_duplicate": 1,
            "validation_rate": 1.0,
        },
    ]
    assert second.one("metrics_complete")["records_duplicate"] == 1


def test_it_is_forgotten_after_the_time(workspace):
    write(workspace, "a", 1)
    workspace.run("jsonl", JSONL, dedup=dedup("id"), clock=at())
    write(workspace, "b", 1)
    workspace.run("jsonl", JSONL, dedup=dedup("id"), clock=at(minutes=59, seconds=59))
    assert ids(workspace) == [1]
    write(workspace, "c", 1)
    workspace.run("jsonl", JSONL, dedup=dedup("id"), clock=at(minutes=60))
    assert ids(workspace) == [1, 1]
    assert workspace.query("SELECT count(*) FROM _seen_things") == [(1,)]


def test_it_is_forgotten_behind_so_many_others(workspace):
    few = dedup("id", max_keys=3)
    write(workspace, "a", 1, 2, 3)
    workspace.run("jsonl", JSONL, dedup=few)
    write(workspace, "b", 1, 4, 1, 2)  # 1 is known until 4 takes its place
    workspace.run("jsonl", JSONL, dedup=few)
    assert ids(workspace) == [1, 1, 2, 2, 3, 4]
    assert workspace.query("SELECT count(*) FROM _seen_things") == [(3,)]


def test_a_file_that_is_read_again_is_not_held_against_itself(workspace):
    write(workspace, "a", 1, 2)
    write(workspace, "b", 9)
    workspace.run("jsonl", JSONL, dedup=dedup("id"))
    write(workspace, "a", 1, 2, 3, 9)
    workspace.run("jsonl", JSONL, dedup=dedup("id"))
    assert workspace.query("SELECT id, file FROM things ORDER BY ALL") == [
        (1, "a"),
        (2, "a"),
        (3, "a"),
        (9, "b"),
    ]


def test_a_full_refresh_forgets_all(workspace):
    write(workspace, "a", 1, 2)
    workspace.run("jsonl", JSONL, dedup=dedup("id"))
    workspace.run("jsonl", JSONL, dedup=dedup("id"), full_refresh=True)
    assert ids(workspace) == [1, 2]


def test_without_dedup_a_table_with_the_name_of_its_keys_stays_if_it_is_something_else(workspace):
    write(workspace, "a", 1, 2)
    workspace.run("jsonl", JSONL, dedup=dedup("id"))
    with duckdb.connect(str(workspace.root / "warehouse/acme.duckdb")) as database:
        database.execute("CREATE OR REPLACE TABLE _seen_things AS SELECT 7 AS id")
    write(workspace, "b", 3)
    assert workspace.run("jsonl", JSONL).exit_code == 0
    assert workspace.query("SELECT * FROM _seen_things") == [(7,)]


def test_records_without_a_value_for_the_key_are_like_no_others(workspace):
    workspace.write("data/a.jsonl", '{"id": null, "n": 1}\n{"n": 1}\n{"id": 1}\n{"id": 1}\n')
    workspace.run("jsonl", JSONL, dedup=dedup("id"))
    assert ids(workspace) == [1, None, None]


@pytest.mark.parametrize(
    ("source", "name", "text"),
    [("jsonl", "data/a.jsonl", '{"n": 1}\n'), ("csv", "data/a.csv", "n\n1\n")],
)
def test_a_key_that_no_record_has_is_an_error(workspace, source, name, text):
    workspace.write(name, text)
    done = workspace.run(source, {"path": name}, dedup=dedup("id"))
    assert done.exit_code == 2
    assert done.stderr == (
        "error ORC613: `dedup.key` names `id`, which the records do not have\n"
        "   help: name fields as the source has them\n"
    )


def test_csv_files_are_known_by_several_columns(workspace):
    workspace.write("data/a.csv", "id,day,n\n1,2026-01-31,5\n1,2026-02-01,6\n1,2026-01-31,7\n")
    done = workspace.run("csv", {"path": "data/*.csv"}, dedup=dedup("id", "day"))
    assert workspace.query("SELECT n FROM things ORDER BY n") == [(5,), (6,)]
    assert done.one("metrics_complete")["records_duplicate"] == 1


def test_a_source_that_sends_an_event_twice_loads_it_once(workspace):
    def load(*rows):
        path = workspace.root / "data.db"
        path.unlink(missing_ok=True)
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE events (id, at)")
            database.executemany("INSERT INTO events VALUES (?, ?)", rows)
        database.close()
        options = {"path": "data.db", "table": "events", "incremental": {"cursor": "at"}}
        return workspace.run("sqlite", options, dedup=dedup("id"))

    load(("a", 1), ("b", 2))
    done = load(("a", 1), ("b", 2), ("b", 3), ("c", 4))
    assert ids(workspace) == ["a", "b", "c"]
    assert done.one("metrics_complete")["records_duplicate"] == 1


def test_records_that_break_the_definition_are_not_remembered(workspace, definition):
    schema = definition(("n", "integer", "required"), validation="warn")
    workspace.write("data/a.jsonl", '{"id": 1}\n{"id": 1, "n": 5}\n')
    workspace.run("jsonl", JSONL, schema=schema, dedup=dedup("id"))
    assert workspace.query("SELECT id, n FROM things") == [(1, 5)]


@pytest.mark.parametrize("change", ["full refresh", "a load"])
def test_keys_are_forgotten_with_a_table_that_was_loaded_without_them(workspace, change):
    write(workspace, "a", 1)
    workspace.run("jsonl", JSONL, dedup=dedup("id"))
    write(workspace, "a", 2)
    workspace.run("jsonl", JSONL, full_refresh=change == "full refresh")
    assert workspace.tables() == ["things"]
    write(workspace, "b", 1)
    workspace.run("jsonl", JSONL, dedup=dedup("id"))
    assert ids(workspace) == [1, 2]


def test_keys_of_another_name_are_not_held_against_a_record(workspace):
    workspace.write("data/a.jsonl", '{"id": 1, "n": 2}\n')
    workspace.run("jsonl", JSONL, dedup=dedup("id"))
    workspace.write("data/b.jsonl", '{"id": 2, "n": 1}\n')
    done = workspace.run("jsonl", JSONL, dedup=dedup("n"))
    assert done.one("metrics_complete")["records_duplicate"] == 0
    assert ids(workspace) == [1, 2]


def test_what_was_dropped_of_a_file_comes_back_when_it_goes_from_another(workspace):
    """Through a third file too, and only files are read again that have to do with it."""
    for name, numbers in {"a": (1,), "b": (1, 2), "c": (2, 3), "d": (4,)}.items():
        write(workspace, name, *numbers)
    workspace.run("jsonl", JSONL, dedup=dedup("id"))
    write(workspace, "a", 9)
    done = workspace.run("jsonl", JSONL, dedup=dedup("id"))
    assert workspace.query("SELECT id, file FROM things ORDER BY ALL") == [
        (1, "b"),
        (2, "b"),
        (3, "c"),
        (4, "d"),
        (9, "a"),
    ]
    extraction = done.one("metrics_extraction")
    assert (extraction["files_read"], extraction["files_unchanged"]) == (3, 1)
    write(workspace, "b", 2)
    workspace.run("jsonl", JSONL, dedup=dedup("id"))
    assert ids(workspace) == [2, 3, 4, 9]


def test_a_letter_that_was_dropped_as_known_comes_back_from_its_file(workspace, definition, replay):
    schema = definition(("n", "integer", "required"), validation="warn")
    workspace.write("data/a.jsonl", '{"id": 1, "n": 1}\n')
    workspace.write("data/b.jsonl", '{"id": 1}\n{"id": 2, "n": 2}\n')
    workspace.run("jsonl", JSONL, schema=schema, dedup=dedup("id"))
    workspace.run("jsonl", JSONL, schema=definition(), dedup=dedup("id"), replay=replay())
    assert workspace.letters() == []
    workspace.write("data/a.jsonl", '{"id": 3, "n": 1}\n')
    workspace.run("jsonl", JSONL, schema=definition(), dedup=dedup("id"))
    assert ids(workspace) == [1, 2, 3]
