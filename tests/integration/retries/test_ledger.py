"""Runs of Dagster to which the breakers and budgets of their instance get lost on the way."""

import json
import sqlite3
import sys
from contextlib import closing

import dagster as dg
import pytest

from orchestration.defs.ledger import Ledger

TENANTS = ("acme", "globex", "initech")
RUNNER = "runner: {breaker: {failures: 5, within: 1h, open_for: 1h}}\n"
RETRY = {"max_retries": 3, "initial_delay_seconds": 0.01, "budget": {"retries": 9, "per": "1h"}}
TAKE_AWAY = """\
import sqlite3, sys
sqlite3.connect(sys.argv[1]).execute("alter table kvs rename to away")
"""


@pytest.fixture
def runs(make_runs):
    return make_runs(RUNNER)


@pytest.fixture
def database(runs):
    """The file in which the ledger lies, with the runs themselves."""
    [found] = runs.root.rglob("runs.db")
    return found


@pytest.fixture
def take_away(runs, database):
    """What a job's script does so that nobody finds the ledger any more."""
    program = runs.root / "take_away.py"
    program.write_text(TAKE_AWAY)
    return f"{sys.executable} {program} {database}"


def bring_back(database):
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("alter table away rename to kvs")


def told(runs, run_id):
    """What the run has logged of its ledger."""
    texts = [entry.user_message for entry in runs.instance.all_logs(run_id)]
    records = [json.loads(text) for text in texts if text.startswith("{")]
    return [r["level"] for r in records if r["event_type"] == "ledger_unavailable"]


def test_data_that_is_committed_is_announced_also_when_nobody_can_be_told_how_the_attempt_ended(
    runs, database, take_away
):
    for tenant in TENANTS:
        runs.write_job(f"{tenant}/orders", take_away if tenant == "acme" else "true")

    lost = runs.run("acme/orders")
    bring_back(database)
    run_ids = [lost, runs.run("globex/orders"), runs.run("initech/orders")]

    for run_id in run_ids:
        assert runs.instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.SUCCESS
        kinds = [entry.dagster_event_type for entry in runs.instance.all_logs(run_id)]
        assert dg.DagsterEventType.ASSET_MATERIALIZATION in kinds
    assert [told(runs, run_id) for run_id in run_ids] == [["WARNING"], [], []]


def test_a_failure_that_cannot_be_counted_is_not_repeated_and_the_next_one_is(
    runs, database, take_away
):
    runs.write_job("globex/orders", f"{take_away}; exit 2", retry_config=RETRY)
    runs.write_job("acme/orders", "test $ORCHESTRATE_ATTEMPT -gt 1 || exit 2", retry_config=RETRY)

    lost = runs.run("globex/orders")
    bring_back(database)
    found = runs.run("acme/orders")

    assert runs.steps(lost) == ["failed"]
    shown = runs.failure(lost)
    assert shown["rule"] == "budget"
    assert shown["reason"].startswith("breakers and retry budgets are not within reach: ")
    assert told(runs, lost) == ["WARNING"]
    assert runs.steps(found) == ["again", "succeeded"]
    rows = Ledger(lambda: runs.instance).breakers(runs.workspace.jobs)
    assert [(row.tenant, row.failures) for row in rows] == [("acme", 0), ("globex", 0)]


def test_a_run_that_opens_or_closes_a_breaker_says_so_in_its_tags_and_no_copy_of_it_does(make_runs):
    runs = make_runs(RUNNER.replace("failures: 5", "failures: 1"))
    for tenant in TENANTS:
        runs.write_job(f"{tenant}/orders", f"test -e works || test {tenant} != globex || exit 2")

    def changes(run_id):
        found = runs.tags(run_id).items()
        return {key: value for key, value in found if key.startswith("orchestration/breaker/")}

    opened = runs.run(*(f"{tenant}/orders" for tenant in TENANTS))
    runs.write("works", "")
    closed = runs.run("globex/orders", tags=runs.tags(opened))

    assert changes(opened) == {"orchestration/breaker/globex/command": "opened"}
    assert changes(closed) == {"orchestration/breaker/globex/command": "closed"}
    assert changes(runs.run("globex/orders", tags=runs.tags(closed))) == {}
