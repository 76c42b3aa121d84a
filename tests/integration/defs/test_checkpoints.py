"""The checkpoints of command jobs that a real Dagster instance runs."""

import sys
from datetime import timedelta

import dagster as dg
import pytest

from orchestration.defs.assemble import build_definitions
from orchestration.domain.job import CommandTask, Job, JobKind
from orchestration.domain.problem import Location
from orchestration.domain.retry import RetryPolicy
from orchestration.domain.workspace import Settings, Tenant, Workspace
from orchestration.runner.checkpoints import open_checkpoints

TENANTS = ("acme", "globex", "initech")
ONCE_MORE = RetryPolicy(max_retries=1, initial_delay=timedelta(seconds=0.01))
# Adds its tenant and attempt to what it remembers, and ends with the code for its attempt.
PROGRAM = """
import os, sys
from pathlib import Path
current = Path(os.environ["ORCHESTRATE_CHECKPOINT"])
before = current.read_text() if current.exists() else ""
mine = os.environ["ORCHESTRATE_TENANT"] + os.environ["ORCHESTRATE_ATTEMPT"]
Path(os.environ["ORCHESTRATE_CHECKPOINT_NEXT"]).write_text(f"{before} {mine}")
codes = sys.argv[1].split()
if "quiet" not in codes:
    print('{"event_type": "metrics_complete", "status": "partial"}')
sys.exit(int(codes[int(os.environ["ORCHESTRATE_ATTEMPT"]) - 1]))
"""


@pytest.fixture
def settings(tmp_path):
    return Settings(state_directory=tmp_path / ".orchestrate")


@pytest.fixture
def run(tmp_path, settings):
    """Runs a job whose attempts end with these exit codes."""
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:

        def start(tenant, codes):
            job = Job(
                tenant=tenant,
                name="events",
                asset="events",
                kind=JobKind.COMMAND,
                task=CommandTask(
                    command=(sys.executable, "-c", PROGRAM, codes), working_directory=tmp_path
                ),
                location=Location(file=f"jobs/{tenant}/events.yaml"),
                retry=ONCE_MORE,
            )
            workspace = Workspace(
                root=tmp_path,
                runner_file=tmp_path / "runner.yaml",
                settings=settings,
                jobs=(job,),
                tenants={name: Tenant(name=name, concurrency=1) for name in TENANTS},
            )
            definitions = build_definitions(
                workspace,
                gate=lambda _: True,
                reload=lambda: workspace,
                kind_of=lambda _, name: name,
            )
            return definitions.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=instance, raise_on_error=False
            )

        yield start


@pytest.fixture
def stored(settings):
    """The versions of the checkpoint of a tenant's job, oldest first, and whose they are."""

    def read(tenant):
        checkpoints = open_checkpoints(settings, f"{tenant}/events")
        return [
            (checkpoints.read(version).decode(), version.origin)
            for version in reversed(checkpoints.history())
        ]

    return read


def test_the_jobs_of_three_tenants_go_on_from_their_own_checkpoint(run, stored):
    runs = {tenant: [run(tenant, "0"), run(tenant, "0")] for tenant in TENANTS}

    for tenant in TENANTS:
        first, second = runs[tenant]
        assert (first.success, second.success) == (True, True)
        assert [(text, origin.run_id) for text, origin in stored(tenant)] == [
            (f" {tenant}1", first.run_id),
            (f" {tenant}1 {tenant}1", second.run_id),
        ]


def test_a_failed_attempt_leaves_no_checkpoint_and_its_retry_does(run, stored):
    run("acme", "0")

    again = run("acme", "2 0")

    assert again.success
    [_, (text, origin)] = stored("acme")
    assert (text, origin.run_id, origin.attempt) == (" acme1 acme2", again.run_id, 2)


@pytest.mark.parametrize(
    ("codes", "texts"),
    [
        ("1 0", [" acme1", " acme1 acme2"]),
        ("2 1", [" acme1", " acme1 acme2"]),
        ("2 1 quiet", [" acme1"]),
    ],
    ids=["repeated", "last", "without saying that it has committed"],
)
def test_a_partial_success_leaves_one_if_it_says_so_and_nothing_follows(run, stored, codes, texts):
    run("acme", "0")

    assert run("acme", codes).success

    assert [text for text, _ in stored("acme")] == texts
    assert stored("acme")[-1][1].attempt == len(texts)


def test_a_run_whose_attempts_all_fail_leaves_the_old_checkpoint(run, stored):
    run("acme", "0")

    assert not run("acme", "2 2").success

    assert [text for text, _ in stored("acme")] == [" acme1"]


def test_a_checkpoint_that_cannot_be_stored_makes_the_run_fail(run, settings):
    settings.state_directory.mkdir()
    (settings.state_directory / "checkpoints").write_text("no folder")

    result = run("acme", "0 0")

    assert not result.success
    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert failure.step_failure_data.user_failure_data.description == (
        f"job `acme/events` failed: the checkpoints in {settings.state_directory}/checkpoints cannot"
        " be read: Not a directory; not repeated, since the only retry is used up"
    )
