"""Jobs run by a real Dagster instance, with real child processes."""

import os
import sys
from datetime import timedelta
from pathlib import Path

import dagster as dg
import psutil
import pytest

from orchestration.defs.assemble import build_definitions
from orchestration.domain.job import CommandTask, Job, JobKind
from orchestration.domain.problem import Location
from orchestration.domain.retry import RetryPolicy
from orchestration.domain.workspace import Settings, Tenant, Workspace
from orchestration.runner import job_lock

TENANTS = ("acme", "globex", "initech")
QUICK = RetryPolicy(
    max_retries=3, initial_delay=timedelta(seconds=0.01), retryable_exit_codes=frozenset({7})
)


@pytest.fixture
def instance(tmp_path):
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:
        yield instance


@pytest.fixture
def record(tmp_path) -> Path:
    """The file to which the jobs of a test write what they are."""
    return tmp_path / "record"


@pytest.fixture
def make_job(tmp_path, record):
    """A job whose program writes its own argument, tenant and attempt to `record`, then `then`."""

    def make(tenant: str, name: str, then: str = "", **changes) -> Job:
        program = (
            "import os, sys\n"
            f"with open({str(record)!r}, 'a') as f:\n"
            "    f.write(' '.join([sys.argv[1], os.environ['ORCHESTRATE_TENANT'],"
            " os.environ['ORCHESTRATE_ATTEMPT']]) + '\\n')\n"
            f"attempt = int(os.environ['ORCHESTRATE_ATTEMPT'])\n{then}\n"
        )
        values = {
            "asset": name,
            "kind": JobKind.COMMAND,
            "task": CommandTask(
                command=(sys.executable, "-c", program, f"{tenant}/{name}"),
                working_directory=tmp_path,
            ),
            "location": Location(file=f"jobs/{tenant}/{name}.yaml"),
        }
        return Job(tenant=tenant, name=name, **(values | changes))

    return make


@pytest.fixture
def run(tmp_path, instance):
    """Runs assets of jobs through the implicit asset job, as the UI's Materialize does."""

    def run(*jobs: Job) -> dg.ExecuteInProcessResult:
        workspace = Workspace(
            root=tmp_path,
            runner_file=tmp_path / "runner.yaml",
            settings=Settings(state_directory=tmp_path / ".orchestrate"),
            jobs=jobs,
            tenants={tenant: Tenant(name=tenant, concurrency=1) for tenant in TENANTS},
        )
        definitions = build_definitions(
            workspace, gate=lambda _: True, reload=lambda: workspace, kind_of=lambda _, name: name
        )
        return definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, raise_on_error=False
        )

    return run


def materialization(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    [event] = result.get_asset_materialization_events()
    return {key: value.value for key, value in event.materialization.metadata.items()}


def failure(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    [event] = [event for event in result.all_events if event.is_step_failure]
    return {
        key: value.value
        for key, value in event.step_failure_data.user_failure_data.metadata.items()
    }


def test_each_asset_of_three_tenants_runs_its_own_command(make_job, run, record):
    jobs = [make_job(tenant, f"job_{n}") for tenant in TENANTS for n in range(5)]

    result = run(*jobs)

    assert result.success
    assert sorted(record.read_text().splitlines()) == sorted(
        f"{tenant}/job_{n} {tenant} 1" for tenant in TENANTS for n in range(5)
    )


def test_a_success_passes_its_check_and_shows_status_and_exit_code(make_job, run):
    result = run(make_job("acme", "orders"))

    shown = materialization(result)
    [check] = result.get_asset_check_evaluations()
    assert (shown["status"], shown["exit_code"], shown["attempt"]) == ("success", 0, 1)
    assert (check.check_name, check.passed) == ("complete", True)


def test_exit_code_1_materialises_as_partial_with_a_warning(make_job, run):
    result = run(make_job("acme", "orders", then="sys.exit(1)"))

    shown = materialization(result)
    [check] = result.get_asset_check_evaluations()
    assert result.success
    assert (shown["status"], shown["exit_code"]) == ("partial", 1)
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_exit_code_2_fails_once_with_code_and_stderr(make_job, run, record):
    then = "print('the table is gone', file=sys.stderr)\nsys.exit(2)"

    result = run(make_job("acme", "orders", then=then))

    shown = failure(result)
    assert not result.success
    assert (shown["status"], shown["exit_code"]) == ("failure", 2)
    assert shown["stderr"] == "```text\nthe table is gone\n```"
    assert record.read_text().splitlines() == ["acme/orders acme 1"]


def test_a_listed_code_is_retried_until_it_succeeds(make_job, run, record):
    then = "sys.exit(0 if attempt == 3 else 7)"

    result = run(make_job("globex", "orders", then=then, retry=QUICK))

    assert result.success
    assert materialization(result)["attempt"] == 3
    assert record.read_text().splitlines() == [f"globex/orders globex {n}" for n in (1, 2, 3)]


def test_retries_end_and_the_last_attempt_is_the_failure(make_job, run, record):
    result = run(make_job("initech", "orders", then="sys.exit(7)", retry=QUICK))

    assert not result.success
    assert failure(result)["attempt"] == 4
    assert len(record.read_text().splitlines()) == 4


@pytest.mark.parametrize(("message", "attempts"), [("Rate LIMIT hit", 4), ("no such table", 1)])
def test_with_patterns_one_of_them_must_match_as_well(make_job, run, record, message, attempts):
    policy = RetryPolicy(
        max_retries=3,
        initial_delay=timedelta(seconds=0.01),
        retryable_error_patterns=("rate limit", "timeout$"),
    )
    then = f"print({message!r}, file=sys.stderr)\nsys.exit(2)"

    run(make_job("acme", "orders", then=then, retry=policy))

    assert len(record.read_text().splitlines()) == attempts


def test_partial_success_after_the_last_retry_stays_partial(make_job, run, record):
    policy = RetryPolicy(max_retries=2, initial_delay=timedelta(seconds=0.01))

    result = run(make_job("acme", "orders", then="sys.exit(1)", retry=policy))

    assert result.success
    assert materialization(result)["status"] == "partial"
    assert len(record.read_text().splitlines()) == 3


def test_a_job_over_its_time_fails_and_its_process_is_gone(make_job, run, tmp_path):
    then = (
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\nimport time\ntime.sleep(60)"
    )
    job = make_job(
        "acme", "slow", then=then, timeout=timedelta(seconds=1), grace_period=timedelta(seconds=1)
    )

    result = run(job)

    assert not result.success
    assert failure(result)["outcome"] == "timed_out"
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_one_failing_asset_does_not_keep_the_others_from_running(make_job, run, record):
    result = run(
        make_job("acme", "good"),
        make_job("globex", "bad", then="sys.exit(2)"),
        make_job("initech", "good"),
    )

    assert not result.success
    assert len(record.read_text().splitlines()) == 3
    done = {
        e.materialization.asset_key.to_user_string()
        for e in result.get_asset_materialization_events()
    }
    assert done == {"acme/good", "initech/good"}


def test_a_program_that_does_not_exist_fails_with_cause_and_cure(make_job, run, tmp_path):
    task = CommandTask(command=("no-such-program",), working_directory=tmp_path)

    result = run(make_job("acme", "orders", task=task))

    [event] = [event for event in result.all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data.description == (
        "job `acme/orders` could not start: "
        "the program `no-such-program` cannot be started: no such file or directory"
    )
    assert failure(result)["help"].startswith("check its spelling")


def test_a_missing_variable_is_named_and_nothing_is_started(make_job, run, record):
    result = run(make_job("globex", "orders", env={"TOKEN": "${NO_SUCH_VARIABLE_HERE}"}))

    assert "`NO_SUCH_VARIABLE_HERE` (for env.TOKEN)" in failure(result)["error"]
    assert not record.exists()


def test_a_job_that_was_started_by_hand_is_not_started_a_second_time(
    make_job, run, record, tmp_path
):
    with job_lock(tmp_path / ".orchestrate", "acme/orders"):
        result = run(make_job("acme", "orders"))

    [event] = [event for event in result.all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data.description.startswith(
        "job `acme/orders` could not start: the job `acme/orders` is already running, by process "
        f"{os.getpid()} on "
    )
    assert not record.exists()


def test_runs_of_dagster_may_overlap(make_job, run, record, tmp_path):
    with job_lock(tmp_path / ".orchestrate", "acme/orders", shared=True):
        result = run(make_job("acme", "orders"))

    assert result.success
    assert record.read_text() == "acme/orders acme 1\n"


def test_a_run_of_dagster_keeps_the_job_from_being_started_by_hand(make_job, run, tmp_path):
    then = (
        "from pathlib import Path\n"
        "from orchestration.errors import JobAlreadyRunningError\n"
        "from orchestration.runner import job_lock\n"
        "try:\n"
        f"    with job_lock(Path({str(tmp_path / '.orchestrate')!r}), 'acme/orders'): pass\n"
        "except JobAlreadyRunningError as error:\n"
        "    sys.exit(f'refused: {error.reason}')"
    )
    result = run(make_job("acme", "orders", then=then))

    assert f"by process {os.getpid()} on " in str(materialization(result)["stderr"])


def test_a_secret_of_the_environment_is_in_no_event_of_the_run(make_job, run, instance, record):
    os.environ["TEST_RUN_TOKEN"] = "s3cr3t-value-of-globex"
    try:
        then = (
            "import base64\n"
            "token = os.environ['TOKEN']\n"
            "print(token)\n"
            "print(base64.b64encode(token.encode()).decode(), file=sys.stderr)\n"
            "sys.exit(2)"
        )
        result = run(make_job("globex", "orders", then=then, env={"TOKEN": "${TEST_RUN_TOKEN}"}))
    finally:
        del os.environ["TEST_RUN_TOKEN"]

    logged = "\n".join(str(entry) for entry in instance.all_logs(result.run_id))
    assert record.read_text() == "globex/orders globex 1\n"
    assert failure(result)["stderr"] == "```text\n***\n```"
    assert "s3cr3t" not in logged
