"""SQLite tables and queries, into a real DuckDB."""

import sqlite3
from contextlib import closing

import pytest

TABLE = {"path": "shop.db", "table": "orders"}
MERGED = {**TABLE, "primary_key": "id", "incremental": {"cursor": "changed"}}
APPENDED = {**TABLE, "incremental": {"cursor": "changed"}}
ALL = "SELECT id, name FROM things ORDER BY id"


@pytest.fixture
def shop(workspace):
    """Runs SQL in a database with three orders, changed on days 1 to 3."""

    def execute(*statements):
        with closing(sqlite3.connect(workspace.root / "shop.db")) as database, database:
            for statement in statements:
                database.execute(statement)

    execute(
        "CREATE TABLE orders (id INTEGER, name TEXT, changed TEXT, paid REAL, scan BLOB)",
        "INSERT INTO orders VALUES (1, 'a', '2024-01-01', 1.5, x'00ff'), "
        "(2, 'b', '2024-01-02', NULL, NULL), (3, 'c', '2024-01-03', 3, NULL)",
    )
    return execute


def test_a_table_is_copied_with_its_types(workspace, shop):
    done = workspace.run_process("sqlite", TABLE)
    assert (done.exit_code, done.stderr) == (0, "")
    assert workspace.query("SELECT id, name, paid, scan FROM things ORDER BY id") == [
        (1, "a", 1.5, b"\x00\xff"),
        (2, "b", None, None),
        (3, "c", 3.0, None),
    ]


def test_a_query_decides_what_is_read(workspace, shop):
    query = "SELECT id, upper(name) AS name FROM orders WHERE id > 1;"
    workspace.run("sqlite", {"path": "shop.db", "query": query})
    assert workspace.query(ALL) == [(2, "B"), (3, "C")]


def test_an_unchanged_database_is_not_even_read(workspace, shop):
    workspace.run("sqlite", TABLE)
    again = workspace.run("sqlite", TABLE)
    assert again.one("metrics_extraction")["records_extracted"] == 0
    assert workspace.loads() == 1


def test_a_change_of_another_table_loads_nothing(workspace, shop):
    workspace.run("sqlite", TABLE)
    shop("CREATE TABLE other (x)")
    again = workspace.run("sqlite", TABLE)
    assert again.one("metrics_extraction")["records_extracted"] == 3
    assert again.one("metrics_writing")["records_written"] == 0
    assert workspace.loads() == 1


def test_a_changed_table_replaces_what_was_there(workspace, shop):
    workspace.run("sqlite", TABLE)
    shop("DELETE FROM orders WHERE id = 1", "UPDATE orders SET name = 'B' WHERE id = 2")
    workspace.run("sqlite", TABLE)
    assert workspace.query(ALL) == [(2, "B"), (3, "c")]


def test_another_query_on_the_same_database_is_another_source(workspace, shop):
    workspace.run("sqlite", TABLE)
    workspace.run("sqlite", {"path": "shop.db", "query": "SELECT * FROM orders WHERE id = 2"})
    assert workspace.query(ALL) == [(2, "b")]


def test_a_change_that_is_still_in_the_write_ahead_log_is_seen(workspace, shop):
    with closing(sqlite3.connect(workspace.root / "shop.db")) as database:
        database.execute("PRAGMA journal_mode = wal")
        workspace.run("sqlite", TABLE)
        with database:
            database.execute("UPDATE orders SET name = 'A' WHERE id = 1")
        workspace.run("sqlite", TABLE)
    assert workspace.query("SELECT name FROM things WHERE id = 1") == [("A",)]


def test_with_a_cursor_only_what_is_new_or_changed_is_read_and_merged(workspace, shop):
    workspace.run("sqlite", MERGED)
    shop(
        "UPDATE orders SET name = 'A', changed = '2024-01-04' WHERE id = 1",
        "INSERT INTO orders VALUES (4, 'd', '2024-01-03', 1, NULL)",
    )
    done = workspace.run("sqlite", MERGED)
    assert done.one("metrics_extraction")["records_extracted"] == 3
    assert done.one("metrics_writing")["records_written"] == 2
    assert workspace.query(ALL) == [(1, "A"), (2, "b"), (3, "c"), (4, "d")]


def test_with_a_cursor_nothing_new_is_no_load(workspace, shop):
    workspace.run("sqlite", MERGED)
    again = workspace.run("sqlite", MERGED)
    assert again.one("metrics_extraction")["records_extracted"] == 1
    assert again.one("metrics_writing")["records_written"] == 0
    assert again.all("checkpoint_saved") == []
    assert workspace.loads() == 1


def test_without_a_key_new_rows_are_added_once_also_those_with_the_last_cursor_value(
    workspace, shop
):
    workspace.run("sqlite", APPENDED)
    shop(
        "INSERT INTO orders VALUES (4, 'd', '2024-01-03', 1, NULL), (5, 'e', '2024-01-05', 1, NULL)"
    )
    for _ in range(2):
        workspace.run("sqlite", APPENDED)
    assert workspace.query(ALL) == [(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")]


def test_the_first_run_starts_at_the_initial_value(workspace, shop):
    cursor = {"cursor": "changed", "initial_value": "2024-01-02"}
    workspace.run("sqlite", {**TABLE, "incremental": cursor})
    assert workspace.query(ALL) == [(2, "b"), (3, "c")]


def test_a_lag_finds_rows_that_came_late(workspace, shop):
    options = {**TABLE, "primary_key": "id", "incremental": {"cursor": "changed", "lag": 1}}
    workspace.run("sqlite", options)
    shop(
        "INSERT INTO orders VALUES (4, 'late', '2024-01-02', 1, NULL), "
        "(5, 'too late', '2024-01-01', 1, NULL)"
    )
    workspace.run("sqlite", options)
    assert workspace.query(ALL) == [(1, "a"), (2, "b"), (3, "c"), (4, "late")]


def test_of_two_rows_with_one_key_the_later_one_wins(workspace, shop):
    shop("INSERT INTO orders VALUES (1, 'A', '2024-01-09', 1, NULL)")
    workspace.run("sqlite", MERGED)
    assert workspace.query("SELECT name FROM things WHERE id = 1") == [("A",)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({**TABLE, "table": "nope"}, "`shop.db` answers: no such table: nope"),
        (
            {"path": "shop.db", "query": "SELECT nope FROM orders"},
            "`shop.db` answers: no such column: nope",
        ),
        (
            {**TABLE, "incremental": {"cursor": "chnged"}},
            "`shop.db` answers: no such column: chnged",
        ),
        ({**TABLE, "path": "text.txt"}, "`text.txt` answers: file is not a database"),
        ({**TABLE, "path": "nope.db"}, "no file matches `nope.db`"),
        (
            {**TABLE, "primary_key": "nope", "incremental": {"cursor": "changed"}},
            "a record has no value for `nope`, which is in the primary key",
        ),
    ],
)
def test_what_is_wrong_with_the_source_is_said_in_one_sentence(workspace, shop, options, message):
    workspace.write("text.txt", "no database at all, but long enough to be one" * 100)
    done = workspace.run("sqlite", options)
    assert done.exit_code == 2
    assert done.one("metrics_error")["message"] == message
    assert done.stderr.startswith(f"error ORC610: {message}\n   help: ")
    assert done.stderr.count("\n") == 2
    assert workspace.tables() == []


def test_a_row_without_a_cursor_value_fails_every_run_instead_of_being_lost(workspace, shop):
    workspace.run("sqlite", MERGED)
    shop("INSERT INTO orders VALUES (4, 'd', NULL, 1, NULL)")
    for _ in range(2):
        done = workspace.run("sqlite", MERGED)
        assert done.one("metrics_error") == {
            "error_type": "IncrementalCursorPathHasValueNone",
            "code": "ORC610",
            "message": "a record has no value for the cursor `changed`",
        }
    assert workspace.loads() == 1


def test_another_way_of_loading_needs_a_full_refresh(workspace, shop):
    workspace.run("sqlite", APPENDED)
    done = workspace.run("sqlite", MERGED)
    assert done.exit_code == 2
    assert done.stderr == (
        "error ORC613: the job loaded `acme.things` in another way: "
        "write_disposition `append` to `merge`, primary_key `[]` to `['id']`\n"
        "   help: load everything again with `orchestrate run --full-refresh`, or change it back\n"
    )
    assert workspace.run("sqlite", MERGED, full_refresh=True).exit_code == 0
    assert workspace.query(ALL) == [(1, "a"), (2, "b"), (3, "c")]


def test_the_database_is_never_written(workspace, shop):
    query = "SELECT * FROM orders); DELETE FROM orders; --"
    done = workspace.run("sqlite", {"path": "shop.db", "query": query})
    assert done.exit_code == 2
    workspace.run("sqlite", TABLE)
    assert len(workspace.query(ALL)) == 3
