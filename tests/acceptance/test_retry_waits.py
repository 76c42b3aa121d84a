"""`orchestrate retry list` and `cancel`, on an instance as something that was up has left it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from orchestration.defs.waiting import WaitingJob, announce

TENANTS = ("acme", "globex", "initech")
DUE = datetime(2026, 6, 1, 12, tzinfo=UTC)
INSTANCE = """\
storage:
  custom:
    module: orchestration.defs.embedded_storage
    class: EmbeddedStorage
    config: {{base_dir: {home}}}
telemetry: {{enabled: false}}
"""


@dg.job
def nothing() -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The instance of the workspace, opened for each question."""

    home: Path

    def fail(self, *jobs: str, after: timedelta = timedelta(0), run_id: str | None = None) -> str:
        """The id of a failed run whose jobs wait for their second attempt, due so long after DUE."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            run = instance.create_run_for_job(
                nothing, status=dg.DagsterRunStatus.STARTED, run_id=run_id
            )
            for job_id in jobs:
                job = WaitingJob(
                    job_id=job_id,
                    asset_key=tuple(job_id.split("/")),
                    attempt=2,
                    reason="exit code 7 is retryable",
                )
                announce(instance, run.run_id, job, DUE + after)
            instance.report_run_failed(run)
            return run.run_id

    def repeat(self, run_id: str) -> None:
        """Repeat the run as a person does."""
        named = {"dagster/parent_run_id": run_id, "dagster/root_run_id": run_id}
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            instance.add_run(dg.DagsterRun(job_name="acme", tags=named))

    def state(self, run_id: str) -> str:
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return instance.get_run_by_id(run_id).tags["orchestration/retry"]


@pytest.fixture
def instance(workspace) -> Instance:
    home = workspace.folder / ".orchestrate" / "dagster"
    workspace.write(".orchestrate/dagster/dagster.yaml", INSTANCE.format(home=home))
    return Instance(home=home)


def waiting(workspace, *options):
    """The job and the run of each retry to come."""
    done = workspace.run("retry", "list", "--format", "json", *options)
    assert (done.code, done.err) == (0, "")
    return [(row["job"], row["run"]) for row in done.json]


def test_where_nothing_was_up_nothing_waits(workspace):
    listed = workspace.run("retry", "list")
    cancelled = workspace.run("retry", "cancel", "acme/orders")

    assert (listed.code, listed.out) == (0, "No run waits for a retry.\n")
    assert (cancelled.code, cancelled.out) == (2, "")
    assert cancelled.err.startswith("error ORC660: no retry of `acme/orders` waits\n")


def test_the_retries_to_come_of_three_tenants_are_listed_in_order(workspace, instance):
    runs = {
        tenant: instance.fail(f"{tenant}/orders", after=timedelta(minutes=minutes))
        for tenant, minutes in zip(TENANTS, (9, 1, 5), strict=True)
    }

    done = workspace.run("retry", "list", "--format", "json")

    assert [row["job"] for row in done.json] == ["globex/orders", "initech/orders", "acme/orders"]
    assert done.json[0] == {
        "job": "globex/orders",
        "run": runs["globex"],
        "attempt": 2,
        "due": "2026-06-01T12:01:00+00:00",
        "reason": "exit code 7 is retryable",
        "runnable": True,
    }
    assert waiting(workspace, "--tenant", "acme") == [("acme/orders", runs["acme"])]
    first = workspace.run("retry", "list").out.splitlines()[1]
    assert first.split(maxsplit=6)[:6] == [
        "globex/orders",
        runs["globex"][:8],
        "2",
        "2026-06-01",
        "12:01:00",
        "UTC",
    ]


def test_the_retry_of_a_job_that_is_gone_says_so(workspace, instance):
    run_id = instance.fail("globex/orders")
    (workspace.folder / "jobs/globex/orders.yaml").unlink()
    workspace.edit("runner.yaml", "        config: jobs/globex/orders.yaml\n", "")

    [row] = workspace.run("retry", "list", "--format", "json").json

    assert (row["job"], row["runnable"]) == ("globex/orders", False)
    listed = workspace.run("retry", "list").out
    assert listed.splitlines()[1].endswith(
        f"the job is gone or broken; bring its file back, or `orchestrate retry cancel {run_id[:8]}`"
    )


def test_what_somebody_has_repeated_does_not_wait_any_more(workspace, instance):
    left, repeated = instance.fail("acme/orders"), instance.fail("globex/orders")

    instance.repeat(repeated)

    assert waiting(workspace) == [("acme/orders", left)]


def test_the_retries_of_a_job_are_cancelled_by_its_name(workspace, instance):
    first, second = instance.fail("acme/orders"), instance.fail("acme/orders")
    other = instance.fail("globex/orders")

    done = workspace.run("retry", "cancel", "acme/orders")

    assert (done.code, done.err) == (0, "")
    assert sorted(done.out.splitlines()) == sorted(
        f"attempt 2 of `acme/orders` after run {run_id[:8]} is cancelled"
        for run_id in (first, second)
    )
    assert waiting(workspace) == [("globex/orders", other)]
    assert [instance.state(run_id) for run_id in (first, second, other)] == [
        "cancelled",
        "cancelled",
        "waiting",
    ]


@pytest.mark.parametrize("length", [36, 12])
def test_a_retry_is_cancelled_by_the_run_that_waits_or_how_its_id_begins(
    workspace, instance, length
):
    run_id = instance.fail("acme/orders", "globex/orders")
    other = instance.fail("initech/orders")

    done = workspace.run("retry", "cancel", run_id[:length])

    assert (done.code, len(done.out.splitlines())) == (0, 2)
    assert waiting(workspace) == [("initech/orders", other)]


def test_of_a_run_of_several_jobs_the_others_go_on_waiting(workspace, instance):
    run_id = instance.fail("acme/orders", "globex/orders")

    workspace.run("retry", "cancel", "acme/orders")

    assert waiting(workspace) == [("globex/orders", run_id)]
    assert instance.state(run_id) == "waiting"


def test_an_id_that_could_be_that_of_several_runs_is_refused(workspace, instance):
    ids = [f"0a1b2c3d-0000-4000-8000-00000000000{n}" for n in (1, 2)]
    instance.fail("acme/orders", run_id=ids[0])
    instance.fail("globex/orders", run_id=ids[1])

    several = workspace.run("retry", "cancel", "0a1b")
    nothing_said = workspace.run("retry", "cancel", "")

    assert (several.code, nothing_said.code) == (2, 2)
    assert several.err.splitlines() == [
        f"error ORC661: the ids of several runs begin with `0a1b`: {', '.join(ids)}",
        "   help: write more of the id",
    ]
    assert nothing_said.err.startswith("error ORC660")
    assert len(waiting(workspace)) == 2


def test_what_was_cancelled_cannot_be_cancelled_again(workspace, instance):
    run_id = instance.fail("acme/orders")
    workspace.run("retry", "cancel", run_id)

    done = workspace.run("retry", "cancel", run_id)

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"error ORC660: no retry of `{run_id}` waits\n"
        "   help: `orchestrate retry list` shows all; a retry that has started, or that is waited"
        " for in the run that failed, is cancelled with its run, in the UI\n"
    )


def test_a_job_that_there_is_none_of_is_told_as_such_unless_its_retry_waits(workspace, instance):
    instance.fail("globex/gone")

    unknown = workspace.run("retry", "cancel", "globex/nope")
    gone = [workspace.run("retry", "cancel", "globex/gone") for _ in range(2)]

    assert (unknown.code, unknown.err.partition("\n")[0]) == (
        2,
        "error ORC601: there is no job `globex/nope`",
    )
    assert [done.code for done in gone] == [0, 2]
    assert gone[1].err.startswith("error ORC601: there is no job `globex/gone`\n")
