from dataclasses import replace
from datetime import timedelta

import pytest

from orchestration.cli.doctor import instance
from orchestration.cli.doctor.finding import Finding, Status, fail, fine, warn
from orchestration.cli.doctor.observed import Daemon
from orchestration.defs import tags
from orchestration.domain.workspace import Tenant

RELOAD = "run `orchestrate reload`; it says what is in the way"


def test_a_ui_that_does_not_answer_is_an_error_with_its_log(bench):
    seen = replace(bench.observe(), live=None, unreachable="timed out")

    assert list(instance.check_instance(seen)) == [
        fail(
            "`orchestrate up` runs in process 7, and its UI at http://localhost:3000 does not"
            " answer: timed out",
            help="see /srv/etl/.orchestrate/logs/webserver.log; restart it if this goes on",
        )
    ]


def test_another_coordinator_is_an_error_since_nothing_holds_then(bench):
    seen = bench.observe()
    live = bench.live(coordinator="QueuedRunCoordinator")

    assert list(instance.check_settings(seen, live)) == [
        fail(
            "the run coordinator is QueuedRunCoordinator, not OrchestrationRunCoordinator: the"
            " limits of runner.yaml are not in force",
            help="take over the run_coordinator of a generated dagster.yaml, and restart",
        )
    ]


def test_settings_that_need_a_restart_are_a_warning(bench):
    jobs = bench.workspace.jobs
    slow = (replace(jobs[0], grace_period=timedelta(minutes=5)), *jobs[1:])
    seen = replace(bench.observe(), workspace=replace(bench.workspace, jobs=slow))

    [finding] = instance.check_settings(seen, bench.live())
    assert finding.status == Status.WARNING


def test_each_limit_that_differs_is_named_in_the_words_of_the_file(bench):
    settings = replace(
        bench.workspace.settings, connector_limits={"stripe": 2}, max_concurrent_runs=5
    )
    tenants = {**bench.workspace.tenants, "acme": Tenant(name="acme", concurrency=9)}
    edited = replace(bench.workspace, settings=settings, tenants=tenants)
    served = dict(bench.live().limits)
    del served[tags.job_slot("globex/orders")]
    seen = bench.observe(edited)

    found = list(instance.check_limits(seen, bench.live(limits=served)))

    assert found == [
        fail("connector stripe: 4 in force, 2 in the files", help=RELOAD),
        fail("job globex/orders: none in force, 1 in the files", help=RELOAD),
        fail("tenant acme: 1 in force, 9 in the files", help=RELOAD),
        fail("all runs: 10 in force, 5 in the files", help=RELOAD),
    ]


@pytest.mark.parametrize(
    ("daemon", "finding"),
    [
        (
            lambda now: Daemon(name="SCHEDULER", heartbeat=now - timedelta(minutes=2)),
            fail(
                "SCHEDULER has given no sign of life for 2m",
                help="see /srv/etl/.orchestrate/logs/daemon.log",
            ),
        ),
        (
            lambda _: Daemon(name="SCHEDULER", heartbeat=None),
            fail(
                "SCHEDULER has never given a sign of life",
                help="see /srv/etl/.orchestrate/logs/daemon.log",
            ),
        ),
        (
            lambda now: Daemon(name="SCHEDULER", heartbeat=now, errors=("KeyError: x",)),
            warn(
                "SCHEDULER reports: KeyError: x",
                help="see /srv/etl/.orchestrate/logs/daemon.log",
            ),
        ),
        (lambda now: Daemon(name="SCHEDULER", heartbeat=now), fine("1 daemon alive")),
    ],
)
def test_a_daemon_without_a_sign_of_life_is_an_error(bench, daemon, finding):
    live = bench.live(daemons=(daemon(bench.now),))

    assert list(instance.check_daemons(bench.observe(), live)) == [finding]


def test_each_daemon_in_trouble_is_named_however_long_it_has_been_silent(bench):
    live = bench.live(
        daemons=(
            Daemon(name="SENSOR", heartbeat=bench.now, errors=("KeyError: x",)),
            Daemon(name="SCHEDULER", heartbeat=bench.now - timedelta(days=2, hours=3)),
            Daemon(name="BACKFILL", heartbeat=bench.now),
        )
    )
    cure = "see /srv/etl/.orchestrate/logs/daemon.log"

    assert list(instance.check_daemons(bench.observe(), live)) == [
        warn("SENSOR reports: KeyError: x", help=cure),
        fail("SCHEDULER has given no sign of life for 2d3h", help=cure),
    ]


def test_daemons_that_were_started_a_moment_ago_have_time_for_their_first_sign(bench):
    started = (bench.now - timedelta(seconds=30)).isoformat()
    seen = bench.observe()
    seen = replace(seen, instance=replace(seen.instance, started=started))
    live = bench.live(daemons=(Daemon(name="SCHEDULER", heartbeat=None),))

    assert list(instance.check_daemons(seen, live)) == [fine("1 daemon started a moment ago")]


def test_definitions_that_are_not_loaded_are_an_error(bench):
    live = bench.live(location_error="ImportError: no module `x`")

    assert list(instance.check_code_location(bench.observe(), live)) == [
        fail(
            "the code location is not loaded: ImportError: no module `x`",
            help="see /srv/etl/.orchestrate/logs/code-server.log",
        )
    ]


def test_jobs_that_are_served_differently_than_the_files_say_are_named(bench):
    jobs = bench.workspace.jobs
    edited = replace(bench.workspace, jobs=(replace(jobs[0], description="new"), jobs[1]))
    seen = replace(bench.observe(edited), index=bench.observe().index)

    assert list(instance.check_code_location(seen, bench.live())) == [
        fail("what is served differs from the files: acme/orders, initech/orders", help=RELOAD)
    ]


def test_a_file_that_was_saved_after_the_last_load_is_a_warning(bench):
    seen = replace(bench.observe(), newest_file=bench.now)

    assert list(instance.check_code_location(seen, bench.live())) == [
        warn(
            "a file has changed at 2026-01-31 12:30:00 UTC, and the last load was at 2026-01-31"
            " 10:30:00 UTC",
            help=RELOAD,
        )
    ]


def test_a_sign_of_life_from_the_future_means_that_a_clock_is_wrong(bench):
    ahead = Daemon(name="SCHEDULER", heartbeat=bench.now + timedelta(days=1, minutes=3))
    [finding] = instance.check_clock(bench.observe(), bench.live(daemons=(ahead,)))

    assert isinstance(finding, Finding)
    assert finding.found == "the last sign of life of the daemon lies 1d3m in the future"
