from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import yaml

from orchestration.defs.instance import is_generated, render_instance
from orchestration.domain.job import CommandTask, Job, JobKind
from orchestration.domain.problem import Location
from orchestration.domain.workspace import Settings, Workspace

ROOT = Path('/srv/e "t" l')
HOME = ROOT / ".orchestrate/dagster"
RUN_SERVER = ROOT / ".orchestrate/run-server.sock"
SETTINGS = Settings(state_directory=ROOT / ".orchestrate")
WORKSPACE = Workspace(root=ROOT, runner_file=ROOT / "runner.yaml", settings=SETTINGS)
TEXT = render_instance(WORKSPACE, dagster_home=HOME, run_server=RUN_SERVER)


def make_job(tenant, grace_period):
    return Job(
        tenant=tenant,
        name="orders",
        asset="orders",
        kind=JobKind.COMMAND,
        task=CommandTask(command=("load", tenant), working_directory=ROOT),
        location=Location(file=f"jobs/{tenant}/orders.yaml"),
        grace_period=grace_period,
    )


def test_our_coordinator_reads_the_index_of_the_state_directory():
    assert yaml.safe_load(TEXT)["run_coordinator"] == {
        "module": "orchestration.defs.coordinator",
        "class": "OrchestrationRunCoordinator",
        "config": {
            "index_file": '/srv/e "t" l/.orchestrate/index.json',
            "dequeue_interval_seconds": 1,
            "dequeue_use_threads": True,
            "dequeue_num_workers": 8,
            "max_user_code_failure_retries": 2880,
            "user_code_failure_retry_delay": 30,
        },
    }


def test_a_run_waits_a_day_for_a_code_server_or_a_run_server_that_is_away():
    queue = yaml.safe_load(TEXT)["run_coordinator"]["config"]

    tries = queue["max_user_code_failure_retries"]
    assert timedelta(seconds=tries * queue["user_code_failure_retry_delay"]) == timedelta(days=1)


def test_a_run_whose_worker_is_gone_gives_its_slot_back_within_a_minute():
    monitoring = yaml.safe_load(TEXT)["run_monitoring"]

    assert monitoring["start_timeout_seconds"] + monitoring["poll_interval_seconds"] < 60


def test_the_longest_grace_period_of_a_job_is_respected_when_runs_are_cancelled():
    jobs = tuple(
        make_job(tenant, timedelta(minutes=minutes))
        for tenant, minutes in (("acme", 1), ("globex", 20), ("initech", 2))
    )
    monitoring = yaml.safe_load(
        render_instance(replace(WORKSPACE, jobs=jobs), dagster_home=HOME, run_server=RUN_SERVER)
    )["run_monitoring"]

    assert monitoring["cancel_timeout_seconds"] == 20 * 60 + 45


def test_the_database_is_named_and_its_url_stays_in_the_environment():
    settings = replace(SETTINGS, postgres_url="DATABASE_URL")

    assert yaml.safe_load(TEXT)["storage"]["custom"] == {
        "module": "orchestration.defs.embedded_storage",
        "class": "EmbeddedStorage",
        "config": {"base_dir": str(HOME)},
    }
    assert yaml.safe_load(
        render_instance(
            replace(WORKSPACE, settings=settings), dagster_home=HOME, run_server=RUN_SERVER
        )
    )["storage"]["custom"] == {
        "module": "orchestration.defs.postgres_storage",
        "class": "PostgresStorage",
        "config": {"postgres_url": {"env": "DATABASE_URL"}},
    }


def test_runs_are_started_by_the_run_server_at_its_socket():
    assert yaml.safe_load(TEXT)["run_launcher"] == {
        "module": "orchestration.defs.launcher",
        "class": "ForkingRunLauncher",
        "config": {"socket": str(RUN_SERVER)},
    }


def test_nothing_is_sent_home_and_skipped_ticks_do_not_pile_up():
    settings = yaml.safe_load(TEXT)

    assert (settings["telemetry"], settings["nux"]) == ({"enabled": False}, {"enabled": False})
    assert settings["retention"]["schedule"]["purge_after_days"]["skipped"] == 7


def test_only_a_file_with_our_mark_is_ours():
    assert is_generated(TEXT)
    assert not is_generated("telemetry: {enabled: false}\n")
    assert not is_generated(TEXT.split("\n", maxsplit=1)[1])
