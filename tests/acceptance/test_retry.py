"""Retries as a person meets them: `orchestrate run --retry` and `orchestrate retry explain`."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections import defaultdict
from contextlib import closing

import pytest
from retry_table import CASES, Case

PACE = 0.001
TENANTS = ("acme", "globex", "initech")
CODES = {"succeeded": 0, "partial": 1, "failed": 2, "timed_out": 2}
# One process for many jobs: starting Python is most of what `orchestrate run` costs.
RUN_ALL = """\
import json, sys
from orchestration.cli.boundary import run_cli
for job in sys.argv[1:]:
    code = run_cli(["run", job, "--retry", "--log-format", "json"])
    print(json.dumps({"event_type": "exit", "code": code}), flush=True)
"""
POLICY = """\
retry_config:
  max_retries: 3
  initial_delay_seconds: 40
  jitter: decorrelated
  non_retryable_error_patterns: [denied]
  budget: {retries: 20, per: 1h}
"""


def expected_code(case: Case) -> int:
    if case.delay:
        return 0
    interrupted = case.end.signum == signal.SIGINT or case.end.exit_code == 130
    return CODES.get(case.outcome, 130 if interrupted else 143)


def run_all(workspace, jobs):
    """For each job, in their order: the records of its run, in which the exit code is the last."""
    runs = defaultdict(list)
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL, *jobs],
        cwd=workspace.folder,
        env=workspace.environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stderr == ""
    number = 0
    for line in done.stdout.splitlines():
        record = json.loads(line)
        runs[jobs[number]].append(record)
        number += record["event_type"] == "exit"
    return runs


@pytest.mark.parametrize("tenant", TENANTS)
def test_run_with_retries_does_what_the_table_says(workspace, tenant):
    cases = CASES[TENANTS.index(tenant) :: len(TENANTS)]
    for case in cases:
        workspace.write(f"jobs/{tenant}/{case.name}.yaml", case.job_file(pace=PACE))

    runs = run_all(workspace, [f"{tenant}/{case.name}" for case in cases])

    for case in cases:
        *told, end = runs[f"{tenant}/{case.name}"]
        texts = [r["text"].split() for r in told if r.get("text", "").startswith("run ")]
        [run_id] = {words[1] for words in texts}
        assert [words[3] for words in texts] == [str(n) for n in range(1, case.attempts + 1)]
        case.check(told, seed=f"{run_id}/{tenant}/{case.name}", pace=PACE)
        assert end["code"] == expected_code(case), case


SETTLED = (
    "a connector job goes on behind the records that it rejects, so that another attempt would not"
    " meet them again"
)
MOVE = """\
source_connector: sqlite
target_connector: duckdb
asset: orders
asset_path: defs/orders.yaml
schema_validation_mode: warn
source: {{path: {tenant}.db, table: t, primary_key: [id], incremental: {{cursor: seen}}}}
target: {{path: {tenant}.duckdb}}
retry_config: {{max_retries: 2, initial_delay_seconds: 0}}
"""


def test_a_connector_job_that_rejects_records_is_a_partial_success_and_is_not_repeated(workspace):
    """The next attempt would begin behind them, and find nothing wrong."""
    workspace.write("defs/orders.yaml", "fields: [{name: id, type: integer}]\n")
    for tenant in TENANTS:
        workspace.write(f"jobs/{tenant}/orders.yaml", MOVE.format(tenant=tenant))
        with closing(sqlite3.connect(workspace.folder / f"{tenant}.db")) as database:
            database.execute("create table t (seen, id)")
            ids = [1, "bad" if tenant == "globex" else 2, 3]
            database.executemany("insert into t values (?, ?)", enumerate(ids))
            database.commit()

    done = {tenant: workspace.run("run", f"{tenant}/orders", "--retry") for tenant in TENANTS}

    assert {tenant: run.code for tenant, run in done.items()} == {
        "acme": 0,
        "globex": 1,
        "initech": 0,
    }
    *_, reason, end = done["globex"].err.splitlines()
    assert reason == f"no further attempt: {SETTLED}"
    assert end.startswith("globex/orders: partial success in ")
    assert "attempts" not in end
    assert explain(workspace, "--exit-code", "1", job="globex/orders") == {
        "retry": False,
        "delay_seconds": [0.0, 0.0],
        "disposition": "transient",
        "rule": "outcome",
        "reason": SETTLED,
        "outcome": "partial",
    }


UNCOUNTED = (
    "failures and retries are not counted for breakers and budgets: that begins when"
    " `orchestrate dev` or `orchestrate up` is started for the first time"
)


@pytest.mark.parametrize(
    ("settings", "retries", "options", "told"),
    [
        ("breaker: {failures: 1}", "{max_retries: 1}", ["--retry"], 1),
        ("breaker: {failures: 1}", "{max_retries: 1}", [], 1),
        ("{}", "{max_retries: 1, budget: {retries: 1, per: 1h}}", ["--retry"], 1),
        ("{}", "{max_retries: 1, budget: {retries: 1, per: 1h}}", [], 0),
        ("{}", "{max_retries: 1}", ["--retry"], 0),
    ],
)
def test_where_nothing_was_ever_up_a_run_says_that_nothing_is_counted(
    workspace, settings, retries, options, told
):
    if settings != "{}":
        workspace.edit("runner.yaml", "runner:\n", f"runner:\n  {settings}\n")
    workspace.write_job("acme", "exit 7", more=f"retry_config: {retries}\n")

    done = workspace.run("run", "acme/orders", *options)

    assert done.code == 2
    assert done.err.splitlines().count(UNCOUNTED) == told


def test_a_failure_that_does_not_matter_is_a_partial_success_also_without_retries(workspace):
    classes = "[{name: holiday, disposition: discardable, patterns: [no file today]}]"
    workspace.write_job(
        "acme", "echo no file today >&2; exit 2", more=f"retry_config: {{error_classes: {classes}}}"
    )

    done = workspace.run("run", "acme/orders")

    assert done.code == 1
    assert done.err.splitlines()[:2] == [
        "no file today",
        "no further attempt: it is of the class `holiday`, which is discardable",
    ]
    assert "partial success in" in done.err.splitlines()[2]


def test_the_time_of_a_run_is_over_for_its_attempt_and_its_retries(workspace):
    more = (
        "run_timeout: 0.5s\ngrace_period: 1s\n"
        "retry_config: {retry_on_timeout: true, initial_delay_seconds: 0.01}\n"
    )
    workspace.write_job("acme", "exec sleep 60", more=more)

    done = workspace.run("run", "acme/orders", "--retry", "--log-format", "json")

    [end] = [r for r in map(json.loads, done.out.splitlines()) if r["event_type"] == "job_finished"]
    assert (done.code, end["outcome"], end["attempt"]) == (2, "timed_out", 1)
    assert (end["rule"], end["disposition"]) == ("run_timeout", "transient")
    assert end["duration_seconds"] < 5


def test_a_retry_that_would_come_after_the_time_of_the_run_is_not_waited_for(workspace):
    more = "run_timeout: 20s\nretry_config: {initial_delay_seconds: 30}\n"
    workspace.write_job("acme", "exit 2", more=more)

    done = workspace.run("run", "acme/orders", "--retry", seconds=15)

    assert done.code == 2
    assert done.err.startswith("no further attempt: a wait of 30s does not fit into the ")


def explain(workspace, *options, job="acme/orders"):
    done = workspace.run("retry", "explain", job, *options, "--format", "json")
    assert (done.code, done.err) == (0, "")
    return done.json


def test_explain_tells_what_would_follow_and_why(workspace):
    workspace.write_job("acme", "exit 2", more=POLICY)

    assert explain(workspace, "--exit-code", "2", "--attempt", "2") == {
        "retry": True,
        "delay_seconds": [40.0, 300.0],
        "disposition": "transient",
        "rule": "retryable_exit_codes",
        "reason": "exit code 2 is retryable",
        "outcome": "failed",
    }
    assert explain(workspace, "--stderr", "access denied") == {
        "retry": False,
        "delay_seconds": [0.0, 0.0],
        "disposition": "permanent",
        "rule": "non_retryable_error_patterns",
        "reason": "the output matches `denied`, which is not retryable",
        "outcome": "failed",
    }
    assert explain(workspace, "--signal", "kill", "--attempt", "4")["rule"] == "retry_on_signal"
    assert explain(workspace, "--timed-out")["outcome"] == "timed_out"
    assert explain(workspace, "--exit-code", "0") == {
        "retry": False,
        "delay_seconds": [0.0, 0.0],
        "disposition": None,
        "rule": "outcome",
        "reason": "an attempt that succeeded is not repeated",
        "outcome": "succeeded",
    }


def test_explain_for_people_says_where_the_retry_waits_and_what_is_asked_then(workspace):
    workspace.edit("runner.yaml", "runner:\n", "runner:\n  breaker: {}\n")
    workspace.write_job("acme", "exit 2", more=POLICY)

    done = workspace.run("retry", "explain", "acme/orders", "--attempt", "2")

    assert done.code == 0
    assert done.out == (
        "acme/orders, attempt 2, exit code 2\n"
        "  retry        attempt 3 of 4 after 40s to 5m, as a new run if it is more than 1m\n"
        "  why          exit code 2 is retryable\n"
        "  rule         retryable_exit_codes\n"
        "  disposition  transient\n"
        "  outcome      failed, if it ended here\n"
        "  asked then   the budget of 20 retries in 1h and the breaker of 5 failures, shared by"
        " acme's jobs with command\n"
    )


def test_explain_says_that_a_wait_does_not_fit_into_the_run_and_a_long_one_has_no_need_to(
    workspace,
):
    more = "run_timeout: 5s\nretry_config: {initial_delay_seconds: 30}\n"
    workspace.write_job("acme", "exit 2", more=more)
    workspace.write_job("globex", "exit 2", more=more.replace("30", "90"))

    short, long = explain(workspace), explain(workspace, job="globex/orders")

    assert (short["retry"], short["rule"], short["reason"]) == (
        False,
        "run_timeout",
        "a wait of 30s does not fit into the 5s that the run has left",
    )
    assert (long["retry"], long["delay_seconds"]) == (True, [90.0, 90.0])


def test_explain_counts_one_failure_of_a_breaker_as_one(workspace):
    workspace.edit("runner.yaml", "runner:\n", "runner:\n  breaker: {failures: 1}\n")
    workspace.write_job("acme", "exit 2", more="retry_config: {initial_delay_seconds: 9}\n")

    done = workspace.run("retry", "explain", "acme/orders")

    assert "the breaker of 1 failure, shared by acme's jobs with command" in done.out


def test_explain_says_what_is_inherited(workspace):
    workspace.edit(
        "runner.yaml",
        "runner:\n",
        "runner:\n  retry_config: {initial_delay_seconds: 9}\n"
        "  connectors: {shop: {retry_config: {retryable_exit_codes: [7]}}}\n",
    )
    workspace.write_job("globex", "exit 7", more="source_connector: shop\n")

    told = {
        tenant: explain(workspace, "--exit-code", "7", job=f"{tenant}/orders")
        for tenant in ("acme", "globex")
    }

    assert (told["acme"]["retry"], told["globex"]["retry"]) == (False, True)
    assert told["globex"]["delay_seconds"] == [9.0, 9.0]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--signal", "SIGNIFY"], "`SIGNIFY` is no signal; write it like SIGKILL"),
        (["--exit-code", "300"], "300 is not in the range 0<=x<=255"),
        (["--attempt", "0"], "0 is not in the range x>=1"),
        (["--timed-out", "--exit-code", "2"], "give one of --exit-code, --signal and --timed-out"),
    ],
)
def test_explain_refuses_ends_that_cannot_be(workspace, options, error):
    done = workspace.run("retry", "explain", "acme/orders", *options)

    assert (done.code, done.out) == (2, "")
    assert error in done.err


def test_a_job_with_a_breaker_does_not_start_where_the_database_cannot_be_asked(workspace):
    workspace.edit(
        "runner.yaml", "runner:\n", "runner:\n  postgres_url: ${DATABASE}\n  breaker: {}\n"
    )
    workspace.write(".orchestrate/dagster/dagster.yaml", "telemetry: {enabled: false}\n")

    done = workspace.run("run", "acme/orders")

    assert (done.code, done.out) == (2, "")
    assert (
        "`postgres_url` refers to the environment variable DATABASE, which is not set" in done.err
    )
    assert list((workspace.folder / "said").iterdir()) == []


def test_the_jobs_of_a_tenant_share_a_budget_that_other_tenants_do_not_touch(workspace):
    # Where nothing was ever up, there is nobody to share with.
    workspace.write(".orchestrate/dagster/dagster.yaml", "telemetry: {enabled: false}\n")
    more = "retry_config: {initial_delay_seconds: 0, budget: {retries: 4, per: 1h}}\n"
    for tenant in TENANTS:
        workspace.write_job(tenant, "echo x >> said/$ORCHESTRATE_TENANT; exit 2", more=more)
    workspace.write_job("acme", "echo x >> said/items; exit 2", name="items", more=more)

    done = [
        workspace.run("run", job, "--retry")
        for job in ("acme/orders", "acme/items", "globex/orders", "initech/orders")
    ]

    tries = {file.name: len(file.read_text()) // 2 for file in workspace.folder.glob("said/*")}
    # Three retries of the first job leave one to the second.
    assert tries == {"acme": 4, "items": 2, "globex": 4, "initech": 4}
    assert [run.code for run in done] == [2, 2, 2, 2]
    reasons = [run.err.splitlines()[-2].removeprefix("no further attempt: ") for run in done]
    own = "all 3 retries are used up"
    shared = (
        "the budget of 4 retries in 1h, shared by the jobs of the tenant with this connector, "
        "is used up"
    )
    assert reasons == [own, shared, own, own]
