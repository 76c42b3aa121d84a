from datetime import timedelta
from uuid import UUID

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

from orchestration.cli.doctor.finding import fail, fine, warn
from orchestration.cli.doctor.observed import LiveSchedule
from orchestration.cli.doctor.retries import check_retries
from orchestration.cli.holds import Holds
from orchestration.cli.retry.waits import Waiting
from orchestration.defs.ledger import BreakerRow
from orchestration.defs.waiting import WaitingJob, WaitingRun
from orchestration.domain.breaker import Breaker, BreakerPolicy

TURN_ON = "turn the sensor `retries` on in the UI, under Automation"
RUN = str(UUID(int=7))
LATE_HELP = f"the sensor `retries` says why in the UI; take the retry back with `orchestrate retry cancel {RUN}`"


@pytest.fixture
def waiting(bench):
    """A job of a run that waits, due so long ago."""

    def waiting(tenant, ago: timedelta, *, name="orders", status="FAILURE", hold="", origin=None):
        job = WaitingJob(
            job_id=f"{tenant}/{name}", asset_key=(tenant, name), attempt=3, reason="it may pass"
        )
        run = dg.DagsterRun(
            job_name=tenant,
            run_id=RUN,
            status=dg.DagsterRunStatus(status),
            remote_job_origin=origin,
        )
        wait = WaitingRun(run=run, due=bench.now - ago, jobs=(job,))
        return Waiting(wait=wait, job=job, hold=hold)

    return waiting


def examine(bench, *waits, is_on=True, **changes):
    live = bench.live(retry_sensor=LiveSchedule(is_on=is_on), has_waits=bool(waits))
    return list(check_retries(bench.observe(waits=waits, **changes), live))


def test_retries_to_come_are_well(bench, waiting):
    soon = [waiting(tenant, timedelta(minutes=-5)) for tenant in ("acme", "globex")]
    just_now = waiting("initech", timedelta(minutes=1))

    assert examine(bench) == [fine("0 retries to come")]
    assert examine(bench, soon[0]) == [fine("1 retry to come")]
    assert examine(bench, *soon, just_now) == [fine("3 retries to come")]


def test_a_sensor_that_is_off_is_told_and_is_an_error_while_retries_wait(bench, waiting):
    assert examine(bench, is_on=False) == [
        warn("no retry will be launched in a new run", help=TURN_ON)
    ]
    assert examine(bench, waiting("acme", timedelta(0)), is_on=False) == [
        fail("1 retry to come that nobody launches", help=TURN_ON)
    ]


def test_a_retry_that_is_late_is_told(bench, waiting):
    waits = [waiting("globex", timedelta(hours=2)), waiting("acme", timedelta(minutes=3))]
    under_way = waiting("acme", timedelta(hours=9), status="STARTED")

    assert examine(bench, under_way, *waits, waiting("initech", timedelta(0))) == [
        warn(
            f"attempt 3 of `{tenant}/orders` is due for {late} and not launched (run {RUN})",
            help=LATE_HELP,
        )
        for tenant, late in (("globex", "2h"), ("acme", "3m"))
    ]


def test_a_retry_that_is_left_to_dagster_says_so(bench, waiting):
    hold = "Dagster does not say whether it repeats the run"

    assert examine(bench, waiting("acme", timedelta(minutes=12), hold=hold)) == [
        warn(
            f"attempt 3 of `acme/orders` is due for 12m and not launched (run {RUN}): {hold}",
            help=LATE_HELP,
        )
    ]


def test_the_retry_of_a_job_that_is_gone_is_told_before_it_is_due(bench, waiting):
    waits = [
        waiting("acme", timedelta(hours=-6)),
        waiting("acme", timedelta(hours=-6), name="gone"),
    ]

    assert examine(bench, *waits) == [
        warn(
            f"attempt 3 of `acme/gone` cannot be launched: the job is gone or broken (run {RUN})",
            help=f"bring its file back, or take the retry back with `orchestrate retry cancel {RUN}`",
        )
    ]


def test_of_many_some_are_told_and_the_others_counted(bench, waiting):
    found = examine(bench, *[waiting("globex", timedelta(hours=1))] * 12)

    assert len(found) == 6
    assert found[5] == warn(
        "7 retries more that cannot be launched", help="see `orchestrate retry list`"
    )


def test_without_a_code_location_there_is_nothing_to_say(bench):
    assert list(check_retries(bench.observe(), bench.live(retry_sensor=None))) == []


def test_a_retry_that_a_breaker_holds_is_well_until_a_probe_could_be_launched(bench, waiting):
    waits = [waiting(tenant, timedelta(hours=1)) for tenant in ("acme", "globex", "initech")]
    policy, at = BreakerPolicy(open_for=timedelta(minutes=15)), bench.now
    opened = {"acme": timedelta(minutes=5), "globex": timedelta(minutes=16)}
    rows = tuple(
        BreakerRow.of(job, policy, Breaker(opened=at - opened[job.tenant]), at)
        for job in bench.observe().workspace.jobs
        if job.tenant in opened
    )

    found = examine(bench, *waits, holds=Holds(breakers=rows))

    assert found == [
        warn(
            f"attempt 3 of `initech/orders` is due for 1h and not launched (run {RUN})",
            help=LATE_HELP,
        )
    ]


def test_the_retry_of_a_run_of_another_code_location_is_told_as_such(bench, waiting):
    def origin(name):
        code = RegisteredCodeLocationOrigin(name)
        return RemoteRepositoryOrigin(code, "__repository__").get_job_origin("acme")

    found = examine(
        bench,
        waiting("acme", timedelta(hours=1), origin=origin("staging")),
        waiting("globex", timedelta(hours=1), name="gone", origin=origin("staging")),
        waiting("initech", timedelta(hours=1), origin=origin("orchestration")),
    )

    other = "only the code location `staging`, which launched the run, launches it"
    assert found == [
        *(
            warn(
                f"attempt 3 of `{job}` is due for 1h and not launched (run {RUN}): {other}",
                help="start that code location again; take the retry back with"
                f" `orchestrate retry cancel {RUN}`",
            )
            for job in ("acme/orders", "globex/gone")
        ),
        warn(
            f"attempt 3 of `initech/orders` is due for 1h and not launched (run {RUN})",
            help=LATE_HELP,
        ),
    ]
