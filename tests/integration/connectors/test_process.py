"""The process itself: what it reads, says, imports and leaves behind."""

import subprocess
import sys

import duckdb

CSV = {"path": "data.csv"}
# Runs the connector process and then says whether it has imported dlt.
_SPY = """
import runpy, sys
try:
    runpy.run_module("orchestration.connectors", run_name="__main__")
finally:
    print("dlt" if "dlt" in sys.modules else "no dlt", file=sys.stderr)
"""


def test_nothing_is_left_behind_but_the_target(workspace):
    workspace.write("data.csv", "id\n1\n")
    assert workspace.run_process("csv", CSV).exit_code == 0
    assert workspace.files() == ["data.csv", "warehouse/acme.duckdb"]
    assert list(workspace.home.rglob("*")) == []


def test_an_unchanged_source_is_found_out_without_dlt(workspace):
    workspace.write("data.csv", "id\n1\n")
    first = workspace.run_process("csv", CSV, program=("-c", _SPY))
    again = workspace.run_process("csv", CSV, program=("-c", _SPY))
    assert (first.stderr, again.stderr) == ("dlt\n", "no dlt\n")


def test_the_registry_can_be_asked_without_dlt():
    program = (
        "import sys; from orchestration.connectors.registry import CATALOG; "
        "[CATALOG.options_model(r, n) for r in ('source', 'target') for n in CATALOG.names(r)]; "
        "print(sorted({'dlt', 'duckdb', 'pyarrow', 'requests'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"[]\n"


def test_stdin_without_an_order_fails_with_one_sentence():
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.connectors"],
        input="make me rich",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error ORC614: stdin holds no order for a connector "
        "(JSONDecodeError: Expecting value: line 1 column 1 (char 0))\n"
        "   help: start connector jobs with `orchestrate run`, which writes the order\n"
    )


def test_an_unknown_connector_is_an_error_event_and_a_sentence(workspace):
    done = workspace.run_process("oracle", {})
    assert done.exit_code == 2
    assert [event["event_type"] for event in done.events] == ["metrics_error", "metrics_complete"]
    assert done.one("metrics_error") == {
        "error_type": "ConnectorUnavailableError",
        "code": "ORC607",
        "message": "there is no source connector `oracle`",
    }
    assert done.stderr == (
        "error ORC607: there is no source connector `oracle`\n"
        "   help: the source connectors are csv, jsonl, parquet, rest, sqlite\n"
    )


def test_a_load_that_the_target_refuses_changes_nothing_and_quotes_no_traceback(workspace):
    workspace.write("data.csv", "id\n1\n")
    workspace.run("csv", CSV)
    with duckdb.connect(str(workspace.root / "warehouse/acme.duckdb")) as database:
        database.execute("CREATE UNIQUE INDEX one_of_each ON things (id)")
    workspace.write("more.csv", "id\n2\n2\n")
    done = workspace.run_process("csv", {"path": "*.csv"})
    assert done.exit_code == 2
    assert done.stderr == (
        "error ORC611: DuckDB answers: Constraint Error: PRIMARY KEY or UNIQUE constraint "
        'violation: duplicate key "2"\n   help: nothing was loaded\n'
    )
    assert done.one("metrics_error")["error_type"] == "ConstraintException"
    assert workspace.query("SELECT id FROM things") == [(1,)]
    assert workspace.loads() == 1
