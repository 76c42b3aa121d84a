"""The target DuckDB: where tables land, and what else is in their way."""

import subprocess
import sys
from datetime import timedelta

import duckdb
import pytest

from orchestration.connectors.targets.duckdb import DuckdbTarget
from orchestration.connectors.targets.duckdb_letters import DuckdbLetters

CSV = {"path": "data.csv"}
# Opens a database file, says so, and holds it until stdin ends.
_HOLDER = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def into(**options):
    return {"connector": "duckdb", "options": options}


@pytest.fixture
def data(workspace):
    workspace.write("data.csv", "id\n1\n2\n")


@pytest.mark.parametrize(
    ("job", "options", "table", "query"),
    [
        ("acme/things", {"path": "deep/er/acme.duckdb"}, "acme.things", "FROM acme.things"),
        ("acme/things", {"path": "all.duckdb"}, "acme.things", 'FROM "all".acme.things'),
        (
            "Acme EU/My-Things",
            {"path": "all.duckdb"},
            "acme_eu.my_things",
            "FROM acme_eu.my_things",
        ),
        (
            "acme/things",
            {"path": "all.duckdb", "dataset": "raw", "table": "goods"},
            "raw.goods",
            "FROM raw.goods",
        ),
        ("acme/things", {"path": "acme.duckdb", "dataset": "main"}, "acme.things", "FROM things"),
    ],
)
def test_a_table_lands_where_names_and_options_say(workspace, job, options, table, query):
    workspace.write("data.csv", "id\n1\n2\n")
    done = workspace.run("csv", CSV, job=job, target=into(**options))
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.one("metrics_writing")["table"] == table
    with duckdb.connect(str(workspace.root / options["path"]), read_only=True) as database:
        assert len(database.execute(query).fetchall()) == 2


def test_tenants_may_share_a_file(workspace):
    for tenant, number in {"acme": 1, "globex": 2, "initech": 3}.items():
        workspace.write(f"{tenant}.csv", f"id\n{number}\n")
        options = {"path": f"{tenant}.csv"}
        workspace.run("csv", options, job=f"{tenant}/things", target=into(path="all.duckdb"))
    with duckdb.connect(str(workspace.root / "all.duckdb"), read_only=True) as database:
        rows = [
            database.execute(f"SELECT id FROM {tenant}.things").fetchall()
            for tenant in ("acme", "globex", "initech")
        ]
    assert rows == [[(1,)], [(2,)], [(3,)]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"path": "../acme.duckdb"},
            "`../acme.duckdb` leads out of `{root}`, to `{parent}/acme.duckdb`",
        ),
        (
            {"path": "acme.duckdb", "dataset": "acme"},
            "the dataset `acme` has the name of the file `acme.duckdb`",
        ),
        (
            {"path": "globex_dead_letters.duckdb"},
            "`target.path`: names that end in `_dead_letters` are those of dead letters",
        ),
        (
            {"path": "all.duckdb", "dataset": "globex_dead_letters"},
            "`target.dataset`: names that end in `_dead_letters` are those of dead letters",
        ),
        (
            {"path": "all.duckdb", "table": "_seen_things"},
            "`target.table`: names that begin with `_seen_` are those of the keys that `dedup` has seen",
        ),
        ({"path": ":memory:"}, "`:memory:` is no database file"),
        ({"path": "md:things"}, "`md:things` is no database file"),
        ({}, "`target.path`: Field required"),
    ],
)
def test_a_target_that_cannot_be_meant_is_refused(workspace, data, options, message):
    done = workspace.run("csv", CSV, target=into(**options))
    expected = message.format(root=workspace.root, parent=workspace.root.parent)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error ORC613: {expected}\n   help: ")
    assert workspace.files() == ["data.csv"]


def test_a_tenant_cannot_have_the_schema_of_the_dead_letters_of_another(workspace, data):
    job = "acme dead letters/things"
    done = workspace.run("csv", CSV, job=job, target=into(path="all.duckdb"))
    assert done.stderr == (
        "error ORC613: the name of `all.duckdb`, or its dataset `acme_dead_letters`, is one for "
        "dead letters\n"
        "   help: names that end in `_dead_letters` are; give another `path` or `dataset`\n"
    )
    named = into(path="all.duckdb", dataset="letters")
    assert workspace.run("csv", CSV, job=job, target=named).exit_code == 0


def test_a_file_that_is_no_database_is_left_alone(workspace, data):
    path = workspace.write("warehouse/acme.duckdb", "precious text " * 500)
    done = workspace.run("csv", CSV)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error ORC611: `{path}` answers: IO Error: ")
    assert path.read_text().startswith("precious text")


def test_a_table_of_somebody_else_is_not_touched(workspace, data):
    (workspace.root / "warehouse").mkdir()
    with duckdb.connect(str(workspace.root / "warehouse/acme.duckdb")) as database:
        database.execute("CREATE TABLE things AS SELECT 7 AS id")
    done = workspace.run("csv", CSV)
    assert done.stderr == (
        "error ORC613: the table `acme.things` is there, but not from this job\n"
        "   help: name another `table`, or replace it with `orchestrate run --full-refresh`\n"
    )
    assert workspace.query("FROM things") == [(7,)]
    workspace.run("csv", CSV, full_refresh=True)
    assert workspace.query("SELECT id FROM things") == [(1,), (2,)]


def test_a_new_name_of_the_table_loads_everything_into_it(workspace, data):
    workspace.run("csv", CSV)
    renamed = into(path="warehouse/acme.duckdb", table="goods")
    workspace.run("csv", CSV, target=renamed)
    again = workspace.run("csv", CSV, target=renamed)
    assert workspace.query("SELECT id FROM goods") == [(1,), (2,)]
    assert again.one("metrics_extraction")["files_unchanged"] == 1


@pytest.fixture
def holder(workspace, data):
    """A process that has the database open until its stdin ends."""
    workspace.run("csv", CSV)
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(workspace.root / "warehouse/acme.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_a_database_that_is_locked_for_too_long_is_an_error_that_may_be_retried(workspace, holder):
    busy = into(path="warehouse/acme.duckdb", lock_timeout="0.2s")
    done = workspace.run("csv", CSV, target=busy)
    path = workspace.root / "warehouse/acme.duckdb"
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error ORC612: the database `{path}` is locked by ")
    assert f"(process {holder.pid})\n" in done.stderr
    assert done.one("metrics_error")["error_type"] == "IOException"


def test_a_database_that_is_free_again_soon_is_waited_for(workspace, holder):
    def release(seconds):
        assert seconds == 0.1
        holder.stdin.close()
        holder.wait()

    path = workspace.root / "warehouse/acme.duckdb"
    letters = DuckdbLetters("acme_dead_letters", "things", "acme/things")
    patience = timedelta(seconds=60)
    target = DuckdbTarget(path, "main", "things", letters, patience=patience, sleep=release)
    assert target.written().row_count == 2
    assert holder.returncode == 0
