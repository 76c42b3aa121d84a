"""What several processes say at once of the waits of one run, in the storages of real instances."""

import multiprocessing
from datetime import UTC, datetime

import dagster as dg
import pytest

from orchestration.defs import tags
from orchestration.defs.waiting import WaitingJob, announce, cancel_wait, find_waiting

TENANTS = ("acme", "globex", "initech")
JOBS = [f"{tenant}/{name}" for tenant in TENANTS for name in ("orders", "users", "items")]
DUE = datetime(2026, 6, 1, 12, tzinfo=UTC)
EMBEDDED = """\
storage:
  custom:
    module: orchestration.defs.embedded_storage
    class: EmbeddedStorage
    config: {{base_dir: {home}}}
telemetry: {{enabled: false}}
"""
POSTGRES = """\
storage:
  custom:
    module: orchestration.defs.postgres_storage
    class: PostgresStorage
    config: {{postgres_url: "{url}"}}
telemetry: {{enabled: false}}
"""


@dg.job
def nothing() -> None: ...


@pytest.fixture(params=["embedded", "postgres"])
def home(request, tmp_path):
    """The folder of an instance."""
    url = request.getfixturevalue("postgres_url")() if request.param == "postgres" else ""
    text = {"embedded": EMBEDDED, "postgres": POSTGRES}[request.param]
    (tmp_path / "dagster.yaml").write_text(text.format(home=tmp_path, url=url))
    return tmp_path


def race(home, work):
    """Do the work for each of the jobs in a process of its own; all begin at the same time."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(len(JOBS))

    def begin(job_id: str) -> None:
        with dg.DagsterInstance.from_config(str(home)) as instance:
            found = find_waiting(instance)
            barrier.wait(timeout=60)
            work(instance, found, job_id)

    processes = [context.Process(target=begin, args=(job_id,)) for job_id in JOBS]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    assert [process.exitcode for process in processes] == [0] * len(JOBS)


def look(home):
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return find_waiting(instance)


def test_nothing_that_is_said_of_a_wait_is_lost_to_another_who_speaks_at_the_same_time(home):
    with dg.DagsterInstance.from_config(str(home)) as instance:
        run_id = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.FAILURE).run_id

    def wait(instance, _, job_id):
        key = tuple(job_id.split("/"))
        job = WaitingJob(job_id=job_id, asset_key=key, attempt=2, reason="it may pass")
        announce(instance, run_id, job, DUE)

    def cancel(instance, found, job_id):
        [wait] = found
        cancel_wait(instance, wait, [job for job in wait.jobs if job.job_id == job_id])

    race(home, wait)
    [waiting] = look(home)
    assert sorted(job.job_id for job in waiting.jobs) == sorted(JOBS)

    race(home, cancel)
    assert look(home) == []
    with dg.DagsterInstance.from_config(str(home)) as instance:
        said = instance.get_run_by_id(run_id).tags
    assert {said[tags.retry_slot(job_id)] for job_id in JOBS} == {"cancelled"}
    assert said[tags.RETRY] == "cancelled"
