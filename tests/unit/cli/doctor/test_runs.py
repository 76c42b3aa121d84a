from datetime import timedelta

from orchestration.cli.doctor.finding import fail, fine, warn
from orchestration.cli.doctor.runs import check_queue, check_runs, entries_by_job, slots_of

MINUTE = timedelta(minutes=1)
DAEMON_LOG = "see /srv/etl/.orchestrate/logs/daemon.log"


def test_a_run_that_waits_is_named_with_the_limit_that_it_waits_for(bench):
    live = bench.live(
        queued=(
            bench.run("acme", "QUEUED", since=12 * MINUTE),
            bench.run("globex", "QUEUED", since=timedelta(hours=2)),
        ),
        under_way=(
            bench.run("acme", "STARTED", since=MINUTE),
            bench.run("globex", "STARTED", since=MINUTE, run_id="another"),
        ),
    )

    assert list(check_queue(bench.observe(), live)) == [
        warn(
            "globex/orders has waited for 2h: job globex/orders: 1 of 1 under way",
            help="raise the limit in runner.yaml, or start fewer runs",
        ),
        fine("acme/orders has waited for 12m: tenant acme: 1 of 1 under way"),
    ]


def test_the_limit_of_a_connector_and_that_of_all_runs_are_reasons_too(bench):
    others = tuple(
        bench.run("globex", "STARTED", since=MINUTE, run_id=str(n), job="globex/orders")
        for n in range(4)
    )
    waiting = (bench.run("initech", "QUEUED", since=MINUTE),)
    limits = {**bench.live().limits}
    seen = bench.observe()

    connector = bench.live(queued=waiting, under_way=others, limits=limits)
    everything = bench.live(queued=waiting, under_way=others, max_concurrent_runs=4)

    assert list(check_queue(seen, connector)) == [
        fine("initech/orders has waited for 1m: connector stripe: 4 of 4 under way")
    ]
    assert list(check_queue(seen, everything)) == [
        fine("initech/orders has waited for 1m: all runs: 4 of 4 under way")
    ]


def test_a_run_that_no_limit_holds_back_is_an_error_after_two_minutes(bench):
    seen = bench.observe()
    young = bench.live(queued=(bench.run("acme", "QUEUED", since=MINUTE),))
    old = bench.live(queued=(bench.run("acme", "QUEUED", since=3 * MINUTE),))

    assert list(check_queue(seen, young)) == [fine("1 run in the queue")]
    assert list(check_queue(seen, old)) == [
        fail(
            "acme/orders has waited for 3m, and no limit holds it back (run run of acme)",
            help=DAEMON_LOG,
        )
    ]


def test_a_run_counts_against_the_limits_of_each_of_its_jobs_and_no_other(bench):
    jobs = {"tenant": "acme,initech", "job_name": "orders"}
    run = bench.run("acme", "STARTED", since=MINUTE, tags=jobs)

    assert slots_of(entries_by_job(bench.observe()), run) == [
        ".dagster/orchestration/tenant/acme",
        ".dagster/orchestration/tenant/initech",
        ".dagster/orchestration/job/acme/orders",
        ".dagster/orchestration/job/initech/orders",
        ".dagster/orchestration/connector/stripe",
    ]
    assert slots_of({}, run) == [
        ".dagster/orchestration/tenant/acme",
        ".dagster/orchestration/tenant/initech",
    ]


def test_of_many_waiting_runs_the_five_oldest_are_named(bench):
    queued = tuple(
        bench.run("acme", "QUEUED", since=n * MINUTE, run_id=str(n)) for n in range(1, 9)
    )
    live = bench.live(queued=queued, under_way=(bench.run("acme", "STARTED", since=MINUTE),))

    found = [finding.found for finding in check_queue(bench.observe(), live)]
    assert len(found) == 6
    assert found[0].startswith("acme/orders has waited for 8m: ")
    assert found[-1] == "3 more runs in the queue"


def test_a_run_that_goes_on_for_longer_than_it_can_take_is_an_error(bench):
    bounded = {"tenant": "acme", "job_name": "orders", "dagster/max_runtime": "3600"}
    live = bench.live(
        under_way=(
            bench.run("acme", "STARTED", since=timedelta(hours=2), tags=bounded),
            bench.run("globex", "STARTED", since=timedelta(hours=2)),
            bench.run("initech", "STARTING", since=10 * MINUTE),
        )
    )

    assert list(check_runs(bench.observe(), live)) == [
        fail(
            "acme/orders is STARTED for 2h, and 1h is the most it can take; it holds slots"
            " (run run of acme)",
            help="terminate the run in the UI, with `force`",
        ),
        fail(
            "initech/orders is STARTING for 10m, and 2m is the most it can take; it holds slots"
            " (run run of initech)",
            help="terminate the run in the UI, with `force`",
        ),
    ]


def test_runs_within_their_bounds_are_counted(bench):
    runs = (
        bench.run("acme", "STARTED", since=timedelta(days=2)),
        bench.run("globex", "CANCELING", since=MINUTE),
    )

    assert list(check_runs(bench.observe(), bench.live(under_way=runs))) == [
        fine("2 runs under way")
    ]
