"""A run that is cancelled while a retry waits in it, or while an attempt is under way."""

import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest

WORKER = Path(__file__).with_name("worker.py")
ORDERS = ("acme/orders", "globex/orders", "initech/orders")
SLOW = {"max_retries": 3, "initial_delay_seconds": 600, "max_delay_seconds": 600}
NOT_SLOW = {"max_retries": 3, "initial_delay_seconds": 5, "backoff_multiplier": 1}
RUNNER = "runner: {retry: {in_run_seconds: 3600}}\n"


@pytest.fixture
def runs(make_runs):
    return make_runs(RUNNER)


@pytest.fixture
def cancel(runs):
    """Starts a worker, waits for something to be so, and ends its run as the UI does. Returns the
    run, and how many seconds its end took.
    """
    workers: list[subprocess.Popen[bytes]] = []

    def until(look: Callable[[], Any], what: str, *, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not look():
            assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
            time.sleep(0.05)

    def cancel(kind: str, is_time: Callable[[str], Any]) -> tuple[dg.DagsterRun, float]:
        run_id = str(uuid.uuid4())
        worker = subprocess.Popen(
            [sys.executable, WORKER, runs.root, run_id, kind], stderr=subprocess.DEVNULL
        )
        workers.append(worker)
        until(lambda: runs.instance.get_run_by_id(run_id), "the run")
        until(lambda: is_time(run_id), "the moment")
        runs.instance.report_run_canceling(runs.instance.get_run_by_id(run_id))
        began = time.monotonic()
        worker.terminate()
        worker.wait(60)
        return runs.instance.get_run_by_id(run_id), time.monotonic() - began

    yield cancel
    for worker in workers:
        if worker.poll() is None:
            worker.kill()
            worker.wait()


def test_a_wait_in_a_run_is_over_as_soon_as_the_run_is_cancelled(runs, cancel):
    runs.write_job("acme/orders", "exit 2", retry_config=SLOW)

    run, seconds = cancel("ours", lambda run_id: "again" in runs.steps(run_id))

    assert run.status is dg.DagsterRunStatus.CANCELED
    assert seconds < 30
    said = [entry.user_message for entry in runs.instance.all_logs(run.run_id)]
    assert said.count("cancelled while it waited for attempt 2") == 1
    assert len(runs.said) == 1
    assert runs.look().run_requests == []


def test_a_run_of_several_jobs_is_cancelled_when_its_wait_is_over_and_starts_nothing(runs, cancel):
    for job in ORDERS:
        runs.write_job(job, "exit 2", retry_config=NOT_SLOW)

    run, _ = cancel("ours", lambda run_id: runs.steps(run_id).count("again") == len(ORDERS))

    assert run.status is dg.DagsterRunStatus.CANCELED
    assert sorted(job for job, *_ in runs.said) == sorted(ORDERS)


def test_dagsters_own_policy_makes_a_retry_of_a_cancellation(runs, cancel):
    """The reason why there is none on our assets. When this fails, Dagster has changed."""
    run, _ = cancel("dagsters", lambda _: (runs.root / "pid").exists())

    assert runs.steps(run.run_id) == ["again", "succeeded"]
    assert run.status is dg.DagsterRunStatus.SUCCESS


def test_no_asset_of_ours_has_dagsters_policy(runs):
    runs.write_job("acme/orders", "exit 2", retry_config=SLOW)

    [asset] = runs.definitions.get_repository_def().assets_defs_by_key.values()

    assert asset.node_def.retry_policy is None


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace_period(runs, cancel):
    pid = runs.root / "pid"
    runs.write_job(
        "acme/orders",
        f"trap '' TERM; echo $$ > {pid}; while :; do sleep 0.1; done",
        retry_config=SLOW,
        grace_period="1s",
    )

    run, seconds = cancel("ours", lambda _: pid.exists() and pid.read_text().strip())

    assert run.status is dg.DagsterRunStatus.CANCELED
    assert 1 <= seconds < 30
    assert not psutil.pid_exists(int(pid.read_text()))
    assert "orchestration/retry" not in run.tags
    assert runs.look().run_requests == []
