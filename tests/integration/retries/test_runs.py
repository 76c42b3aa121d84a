"""Retries of real processes in runs of Dagster: in the same run, and in new ones."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import dagster as dg
import pytest

from orchestration.connectors.registry import CATALOG

TENANTS = ("acme", "globex", "initech")
LONG = {"max_retries": 3, "initial_delay_seconds": 600, "max_delay_seconds": 3600}
COMPLETE = json.dumps({"event_type": "metrics_complete", "status": "partial"})
FAILS_ONCE = "test $ORCHESTRATE_ATTEMPT -gt 1 || exit 2"


@pytest.fixture
def runs(make_runs):
    return make_runs()


def test_a_long_wait_ends_the_run_which_says_what_it_waits_for(runs):
    runs.write_job("acme/orders", FAILS_ONCE, retry_config=LONG)
    before = datetime.now(UTC)

    run_id = runs.run("acme/orders")

    tags, shown = runs.tags(run_id), runs.failure(run_id)
    due = datetime.fromisoformat(tags["orchestration/retry_at"])
    assert 600 <= (due - before).total_seconds() < 630
    assert tags["orchestration/retry"] == "waiting"
    assert tags[".dagster/orchestration/retry/acme/orders"] == (
        f"{run_id} 2 acme/orders exit code 2 is retryable"
    )
    assert runs.instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.FAILURE
    assert {key: shown[key] for key in ("rule", "reason", "disposition", "delay_seconds")} == {
        "rule": "retryable_exit_codes",
        "reason": "exit code 2 is retryable",
        "disposition": "transient",
        "delay_seconds": 600,
    }
    assert shown["retry_at"] == pytest.approx(due.timestamp(), abs=1)
    assert shown["description"] == (
        f"job `acme/orders` failed: exit code 2; attempt 2 follows in a new run at {due:%F %T} UTC"
    )
    told = runs.records(run_id)["acme/orders"]
    assert [(record["event_type"], record["delay_seconds"]) for record in told] == [
        ("retry_attempt", 600),
        ("job_finished", 600),
    ]


def test_a_failure_says_why_nothing_follows_it(runs):
    key = {"name": "key", "disposition": "permanent", "patterns": ["PermissionError"]}
    refused = LONG | {"error_classes": [key]}
    runs.write_job("acme/orders", "echo PermissionError >&2; exit 2", retry_config=refused)
    runs.write_job("globex/orders", "exit 3", retry_config=LONG)
    runs.write_job("initech/orders", "exit 3")

    said = [runs.failure(runs.run(f"{tenant}/orders"))["description"] for tenant in TENANTS]

    assert said == [
        (
            "job `acme/orders` failed: exit code 2; not repeated, since it is of the class `key`, which"
            " is permanent"
        ),
        "job `globex/orders` failed: exit code 3; not repeated, since exit code 3 is not retryable",
        "job `initech/orders` failed: exit code 3",
    ]


def test_the_retries_of_three_tenants_run_once_each_for_their_own_when_they_are_due(runs):
    for tenant in TENANTS:
        runs.write_job(f"{tenant}/orders", FAILS_ONCE, retry_config=LONG)
    first = {tenant: runs.run(f"{tenant}/orders") for tenant in TENANTS}
    early = runs.look()
    runs.bring_forward(*first.values())

    requests = runs.look().run_requests
    again = dict(zip(TENANTS, runs.launch(requests), strict=True))
    later = runs.look()

    assert early.run_requests == later.run_requests == []
    assert [request.run_key for request in requests] == [
        f"{first[tenant]}/{tenant}/orders" for tenant in TENANTS
    ]
    assert sorted(runs.said) == sorted(
        (f"{tenant}/orders", tenant, started[tenant], attempt)
        for attempt, started in ((1, first), (2, again))
        for tenant in TENANTS
    )
    for tenant in TENANTS:
        retry = runs.instance.get_run_by_id(again[tenant])
        assert retry.status is dg.DagsterRunStatus.SUCCESS
        assert (retry.parent_run_id, retry.root_run_id) == (first[tenant],) * 2
        assert retry.tags["orchestration/retry_of"] == first[tenant]
        assert retry.tags["orchestration/attempt"] == "2"
        assert "orchestration/retry" not in retry.tags


def test_the_run_that_waited_says_that_its_retry_was_launched(runs):
    runs.write_job("acme/orders", FAILS_ONCE, retry_config=LONG)
    run_id = runs.run("acme/orders")
    runs.bring_forward(run_id)
    runs.launch(runs.look().run_requests)

    sensor = runs.definitions.get_repository_def().get_sensor_def("retries")
    context = dg.SensorEvaluationContext(
        instance_ref=runs.instance.get_ref(),
        last_tick_completion_time=None,
        last_run_key=None,
        cursor=None,
        log_key=["__repository__", "retries", "1"],
        repository_name=None,
        instance=runs.instance,
    )
    sensor.evaluate_tick(context)

    assert runs.tags(run_id)["orchestration/retry"] == "launched"


def test_jobs_of_one_run_wait_together_and_have_a_retry_each(runs):
    for tenant in TENANTS:
        runs.write_job(f"{tenant}/orders", FAILS_ONCE, retry_config=LONG)
    runs.write_job("acme/good", "true")
    first = runs.run()
    runs.bring_forward(first)

    requests = runs.look().run_requests
    again = runs.launch(requests)

    assert [(r.job_name, r.run_key) for r in requests] == [
        (tenant, f"{first}/{tenant}/orders") for tenant in TENANTS
    ]
    assert [(job, run, attempt) for job, _, run, attempt in runs.said if attempt > 1] == [
        (f"{tenant}/orders", run_id, 2) for tenant, run_id in zip(TENANTS, again, strict=True)
    ]


def test_attempts_are_counted_through_waits_in_the_run_and_between_runs(runs):
    """The delays are 0.5, 100 and 100 seconds, of which the first is short."""
    policy = {
        "max_retries": 3,
        "initial_delay_seconds": 0.5,
        "backoff_multiplier": 200,
        "max_delay_seconds": 100,
    }
    runs.write_job("acme/orders", "exit 2", retry_config=policy)
    chain = [runs.run("acme/orders")]
    while "orchestration/retry" in runs.tags(chain[-1]):
        runs.bring_forward(chain[-1])
        chain += runs.launch(runs.look().run_requests)

    assert [(run, attempt) for _, _, run, attempt in runs.said] == [
        (chain[0], 1),
        (chain[0], 2),
        (chain[1], 3),
        (chain[2], 4),
    ]
    assert [runs.steps(run_id) for run_id in chain] == [["again", "failed"], ["failed"], ["failed"]]
    assert runs.failure(chain[-1])["rule"] == "max_retries"
    assert runs.instance.get_run_group(chain[-1])[0] == chain[0]


def test_a_run_that_somebody_repeats_counts_from_1_and_takes_the_place_of_the_retry(runs):
    runs.write_job("acme/orders", "exit 2", retry_config=LONG)
    first = runs.run("acme/orders")
    runs.bring_forward(first)
    [second] = runs.launch(runs.look().run_requests)
    runs.bring_forward(second)
    # The UI copies the tags that it shows, and says which run it is that is repeated.
    shown = {key: v for key, v in runs.tags(second).items() if not key.startswith(".dagster/")}
    again = {**shown, "dagster/parent_run_id": second, "dagster/root_run_id": first}

    by_hand = runs.run("acme/orders", tags=again)

    assert [(run, attempt) for _, _, run, attempt in runs.said] == [
        (first, 1),
        (second, 2),
        (by_hand, 1),
    ]
    assert runs.look().run_requests == []
    runs.bring_forward(by_hand)
    [request] = runs.look().run_requests
    assert request.tags["orchestration/attempt"] == "2"


def test_a_partial_success_waits_too_and_stays_one_if_nothing_follows(runs):
    """Data has landed, and the next attempt may bring the rest."""
    runs.write_job("acme/orders", "exit 1", retry_config={**LONG, "max_retries": 1})

    first = runs.run("acme/orders")
    runs.bring_forward(first)
    [second] = runs.launch(runs.look().run_requests)

    landed = dg.DagsterEventType.ASSET_MATERIALIZATION
    for run_id in (first, second):
        [entry] = runs.instance.all_logs(run_id, of_type=landed)
        assert entry.asset_materialization.metadata["status"].value == "partial"
        assert runs.instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.SUCCESS
    assert [(run, attempt) for _, _, run, attempt in runs.said] == [(first, 1), (second, 2)]
    assert "orchestration/retry" not in runs.tags(second)


def test_a_discardable_failure_is_a_warning_and_announces_no_data(runs):
    classes = [{"name": "empty", "disposition": "discardable", "patterns": ["no data"]}]
    policy = {**LONG, "error_classes": classes}
    runs.write_job("acme/orders", "echo 'no data today' >&2; exit 2", retry_config=policy)
    runs.write_job("globex/orders", "echo 'data today'", retry_config=policy)

    run_id, other = runs.run("acme/orders"), runs.run("globex/orders")

    run = runs.instance.get_run_by_id(run_id)
    [entry] = runs.instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_OBSERVATION)
    [check] = runs.instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    shown = {key: v.value for key, v in entry.asset_observation.metadata.items()}
    evaluation = check.dagster_event.asset_check_evaluation_data
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert (shown["status"], shown["outcome"], shown["exit_code"]) == ("partial", "partial", 2)
    assert (shown["disposition"], shown["rule"]) == ("discardable", "error_classes")
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert evaluation.description == (
        "the attempt failed, which does not matter: it is of the class `empty`, which is discardable"
    )
    assert (landed(runs, run_id), landed(runs, other)) == ([], ["success"])
    assert len(runs.said) == 2


def landed(runs, run_id):
    """The status of each materialisation of the run."""
    found = runs.instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    return [entry.asset_materialization.metadata["status"].value for entry in found]


@pytest.mark.parametrize("seconds", [0, 600], ids=["in the run", "in a new run"])
def test_a_partial_success_of_a_command_is_repeated_from_the_same_checkpoint(runs, seconds):
    script = (
        "cat $ORCHESTRATE_CHECKPOINT 2> /dev/null >> from.$ORCHESTRATE_TENANT\n"
        "echo . >> from.$ORCHESTRATE_TENANT; echo 3 > $ORCHESTRATE_CHECKPOINT_NEXT\n"
        f"test $ORCHESTRATE_ATTEMPT -gt 1 || {{ echo '{COMPLETE}'; exit 1; }}"
    )
    for tenant in TENANTS:
        policy = {**LONG, "initial_delay_seconds": seconds}
        runs.write_job(f"{tenant}/orders", script, retry_config=policy)
    chains = {tenant: [runs.run(f"{tenant}/orders")] for tenant in TENANTS}
    if seconds:
        runs.bring_forward(*(chain[0] for chain in chains.values()))
        again = runs.launch(runs.look().run_requests)
        for chain, run_id in zip(chains.values(), again, strict=True):
            chain.append(run_id)

    for tenant, chain in chains.items():
        assert (runs.root / f"from.{tenant}").read_text() == ".\n.\n"
        assert [status for run_id in chain for status in landed(runs, run_id)] == (
            ["partial", "success"] if seconds else ["success"]
        )


def test_a_connector_job_that_rejects_records_is_not_repeated_and_warns(runs):
    """Another attempt would begin behind them, find nothing wrong, and call it a success."""
    runs.catalog = CATALOG
    runs.write("defs/orders.yaml", json.dumps({"fields": [{"name": "id", "type": "integer"}]}))
    for tenant in TENANTS:
        source = {"path": f"{tenant}.db", "table": "t", "primary_key": ["id"]}
        with closing(sqlite3.connect(runs.root / f"{tenant}.db")) as database:
            database.execute("create table t (id)")
            rows = [(1,), ("bad" if tenant == "globex" else 2,), (3,)]
            database.executemany("insert into t values (?)", rows)
            database.commit()
        job = {
            "source_connector": "sqlite",
            "target_connector": "duckdb",
            "asset_path": "defs/orders.yaml",
            "schema_validation_mode": "warn",
            "source": source,
            "target": {"path": f"{tenant}.duckdb"},
            "retry_config": {"max_retries": 2, "initial_delay_seconds": 0},
        }
        runs.write(f"jobs/{tenant}/orders.yaml", json.dumps(job))

    run_id = runs.run()

    assert runs.steps(run_id) == ["succeeded"] * 3
    ends = {job: told for job, [told] in runs.records(run_id).items()}
    assert {job: (end["outcome"], end["attempt"]) for job, end in ends.items()} == {
        "acme/orders": ("succeeded", 1),
        "globex/orders": ("partial", 1),
        "initech/orders": ("succeeded", 1),
    }
    assert ends["globex/orders"]["reason"].startswith("a connector job goes on behind the records")
    checks = runs.instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = [entry.dagster_event.asset_check_evaluation_data for entry in checks]
    assert [c.description for c in found if not c.passed] == [
        "some records were rejected, the rest were committed"
    ]


def test_no_attempt_takes_longer_than_its_run_has_left(runs):
    policy = {"max_retries": 3, "initial_delay_seconds": 0.01, "retry_on_timeout": True}
    runs.write_job(
        "acme/orders", "exec sleep 60", retry_config=policy, timeout="50s", run_timeout="1s"
    )

    run_id = runs.run("acme/orders")

    shown = runs.failure(run_id)
    assert (shown["outcome"], shown["rule"]) == ("timed_out", "run_timeout")
    assert 1 <= shown["execution_time_seconds"] < 20
    assert len(runs.said) == 1


def test_the_time_of_a_run_counts_from_its_first_attempt(runs):
    policy = {"max_retries": 9, "initial_delay_seconds": 0.01, "max_delay_seconds": 0.01}
    runs.write_job("acme/orders", "sleep 0.7; exit 2", retry_config=policy, run_timeout="2s")

    run_id = runs.run("acme/orders")

    outcomes = [record["outcome"] for record in runs.records(run_id)["acme/orders"]]
    assert outcomes[-1] in ("timed_out", "failed")
    assert 2 <= len(runs.said) <= 3


def test_a_retry_in_a_new_run_has_a_time_of_its_own(runs):
    policy = {**LONG, "retry_on_timeout": True}
    runs.write_job("acme/orders", "exec sleep 60", retry_config=policy, run_timeout="1s")
    first = runs.run("acme/orders")
    runs.bring_forward(first)

    [second] = runs.launch(runs.look().run_requests)

    assert [runs.failure(run_id)["outcome"] for run_id in (first, second)] == ["timed_out"] * 2
    assert runs.tags(second)["orchestration/retry"] == "waiting"


def test_a_worker_that_dies_when_it_has_said_that_it_waits_is_repeated_by_dagster_alone(runs):
    """It is failed from outside, without the failure of a step."""
    from orchestration.defs.waiting import WaitingJob, announce

    runs.write_job("acme/orders", FAILS_ONCE, retry_config=LONG)
    job = runs.definitions.resolve_implicit_global_asset_job_def()
    run = runs.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    waiting = WaitingJob(
        job_id="acme/orders", asset_key=("acme", "orders"), attempt=2, reason="it may pass"
    )
    announce(runs.instance, run.run_id, waiting, datetime(2026, 1, 1, tzinfo=UTC))

    while_it_runs = runs.look().run_requests
    runs.instance.report_run_failed(run)
    when_it_has_failed = runs.look().run_requests

    assert runs.tags(run.run_id)["dagster/will_retry"] == "true"
    assert while_it_runs == when_it_has_failed == []
    copied = {**runs.tags(run.run_id), "dagster/parent_run_id": run.run_id}
    again = runs.run("acme/orders", tags={**copied, "dagster/root_run_id": run.run_id})
    assert [(run_id, attempt) for _, _, run_id, attempt in runs.said] == [(again, 1)]
    assert runs.look().run_requests == []
