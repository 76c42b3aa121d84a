from dataclasses import replace
from datetime import timedelta

import pytest

from orchestration.cli.doctor.finding import fail, fine, warn
from orchestration.cli.doctor.observed import LiveSchedule, Tick
from orchestration.cli.doctor.schedules import (
    check_breakers,
    check_pauses,
    check_schedules,
    check_ticks,
    due_ticks,
    last_tick,
)
from orchestration.cli.holds import Holds
from orchestration.defs.ledger import BreakerRow
from orchestration.domain.breaker import BreakerState
from orchestration.domain.schedule import CronTrigger, IntervalTrigger, OnceTrigger, Overlap

RELOAD = "run `orchestrate reload`; it says what is in the way"
_CRON = CronTrigger(expressions=("0 * * * *",))


@pytest.fixture
def with_acme(bench):
    """What is seen and live when the schedule of acme is as given; the others are as they should."""

    def make(found, **changes):
        first, *others = bench.workspace.schedules
        workspace = replace(bench.workspace, schedules=(replace(first, **changes), *others))
        schedules = dict(bench.live().schedules)
        del schedules["acme_hourly"]
        if found:
            schedules["acme_hourly"] = found
        return bench.observe(workspace), bench.live(schedules=schedules)

    return make


@pytest.mark.parametrize(
    ("found", "enabled", "finding"),
    [
        (None, True, fail("`acme_hourly` is not loaded", help=RELOAD)),
        (
            LiveSchedule(is_on=False, by_hand=True),
            True,
            warn(
                "`acme_hourly` is enabled in runner.yaml, and paused by hand in the UI",
                help="switch it on in the UI, or write `enabled: false`",
            ),
        ),
        (
            LiveSchedule(is_on=False),
            True,
            fail("`acme_hourly` was disabled when the files were last loaded", help=RELOAD),
        ),
        (
            LiveSchedule(is_on=False),
            False,
            fine("3 schedules, of which 2 enabled and running"),
        ),
        (
            LiveSchedule(is_on=True, by_hand=True),
            False,
            fine("3 schedules, of which 2 enabled and running"),
        ),
    ],
)
def test_the_switch_of_a_schedule_is_compared_with_the_file(with_acme, found, enabled, finding):
    seen, live = with_acme(found, enabled=enabled)

    assert list(check_schedules(seen, live)) == [finding]


def test_a_schedule_that_runs_and_that_the_file_does_not_have_is_an_error(bench):
    live = bench.live(
        schedules={**bench.live().schedules, "old": LiveSchedule(is_on=True, by_hand=False)}
    )

    assert list(check_schedules(bench.observe(), live)) == [
        fail("`old` runs, and runner.yaml does not have it", help=RELOAD)
    ]


def test_a_tick_that_nobody_has_looked_at_is_an_error_after_ten_minutes(bench, with_acme):
    since, old = bench.now - timedelta(days=3), bench.now - timedelta(hours=1, minutes=30)
    seen, live = with_acme(
        LiveSchedule(is_on=True, since=since, tick=Tick(at=old, status="SUCCESS"))
    )
    early = replace(seen, now=bench.now.replace(minute=9))

    assert list(check_ticks(seen, live)) == [
        fail(
            "`acme_hourly` was due at 2026-01-31 12:00 UTC, and `acme/orders` has not run since",
            help="see the ticks of the schedule in the UI, and"
            " /srv/etl/.orchestrate/logs/daemon.log",
        )
    ]
    assert list(check_ticks(seen, replace(live, launched=frozenset({"acme_hourly"})))) == [
        fine("no run is missing")
    ]
    assert list(check_ticks(early, live)) == [fine("no run is missing")]


def test_a_tick_that_failed_is_an_error_with_its_text(bench, with_acme):
    tick = Tick(at=bench.now.replace(minute=0), status="FAILURE", error="KeyError: x")
    seen, live = with_acme(LiveSchedule(is_on=True, since=bench.now - timedelta(days=3), tick=tick))

    assert list(check_ticks(seen, live)) == [
        fail(
            "the last tick of `acme_hourly`, at 2026-01-31 12:00 UTC, failed: KeyError: x",
            help="see /srv/etl/.orchestrate/logs/daemon.log",
        )
    ]


@pytest.mark.parametrize(
    ("found", "changes"),
    [
        (LiveSchedule(is_on=False, by_hand=True), {}),
        (LiveSchedule(is_on=True), {"enabled": False}),
        (LiveSchedule(is_on=True), {"trigger": OnceTrigger(generation="1")}),
    ],
)
def test_what_is_off_or_does_not_follow_the_clock_is_never_due(with_acme, found, changes):
    seen, live = with_acme(found, **changes)

    assert "acme_hourly" not in {schedule.name for schedule, _ in due_ticks(seen, live)}


def test_ticks_before_dagster_knew_the_schedule_do_not_count(bench, with_acme):
    seen, live = with_acme(LiveSchedule(is_on=True, since=bench.now - timedelta(minutes=5)))

    assert list(check_ticks(seen, live)) == [fine("no run is missing")]


def test_ticks_before_the_file_enabled_the_schedule_do_not_count(bench, with_acme):
    seen, live = with_acme(LiveSchedule(is_on=True, since=bench.now - timedelta(days=3)))
    enabled = {**seen.index.enabled_since, "acme_hourly": "2026-01-31T12:20:00+00:00"}
    seen = replace(seen, index=replace(seen.index, enabled_since=enabled))

    assert list(check_ticks(seen, live)) == [fine("no run is missing")]


@pytest.mark.parametrize(
    ("overlap", "launched", "is_missing"),
    [
        (Overlap.QUEUE, (), True),
        (Overlap.QUEUE, ("acme_hourly",), False),
        (Overlap.SKIP, (), False),
    ],
)
def test_of_a_sensor_only_its_runs_tell_that_it_was_due(
    bench, with_acme, overlap, launched, is_missing
):
    tick = Tick(at=bench.now, status="SKIPPED")
    seen, live = with_acme(
        LiveSchedule(is_on=True, tick=tick),
        trigger=IntervalTrigger(interval=timedelta(seconds=45)),
        overlap=overlap,
    )

    findings = list(check_ticks(seen, replace(live, launched=frozenset(launched))))
    assert (findings != [fine("no run is missing")]) is is_missing


def test_the_last_tick_is_found_however_long_ago_it_was(bench):
    yearly = bench.schedule("acme", trigger=replace(_CRON, expressions=("0 0 1 2 *",)))
    monthly = bench.schedule("acme", trigger=replace(_CRON, expressions=("30 12 31 * *",)))

    assert last_tick(yearly, bench.now) == bench.now.replace(
        year=2025, month=2, day=1, hour=0, minute=0
    )
    assert last_tick(monthly, bench.now) == bench.now


def test_schedules_that_failures_have_paused_are_named_with_the_way_out(bench):
    first, second, third = bench.workspace.schedules
    workspace = replace(
        bench.workspace,
        schedules=(
            replace(first, max_consecutive_errors=3),
            replace(second, max_consecutive_errors=5),
            third,
        ),
    )
    paused = Holds(pauses={"globex_hourly": "paused by failures"})

    assert list(check_pauses(bench.observe(workspace, holds=paused))) == [
        warn(
            "`globex_hourly` is paused by failures",
            help="correct what fails, then `orchestrate schedule resume globex_hourly`",
        )
    ]
    assert list(check_pauses(bench.observe(workspace))) == [
        fine("none of 2 schedules paused by failures")
    ]
    assert list(check_pauses(bench.observe())) == []


def test_breakers_that_are_not_closed_are_named_with_the_way_out(bench):
    def row(tenant, state):
        since = None if state is BreakerState.CLOSED else bench.now
        return BreakerRow(
            tenant=tenant,
            connector="stripe",
            state=state,
            failures=5,
            since=since,
            next_probe=since,
            reason=f"the breaker of {tenant} is {state}",
        )

    def findings(*states, unscheduled=""):
        schedules = tuple(
            replace(schedule, enabled=schedule.job_id != f"{unscheduled}/orders")
            for schedule in bench.workspace.schedules
        )
        workspace = replace(bench.workspace, schedules=schedules)
        tenants = ("acme", "globex", "initech")
        rows = tuple(row(tenant, state) for tenant, state in zip(tenants, states, strict=False))
        return list(check_breakers(bench.observe(workspace, holds=Holds(breakers=rows))))

    closed, half, opened = BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN
    assert findings(closed, half, opened) == [
        warn(
            f"the breaker of {tenant} is {state}",
            help="correct what fails; a probe will find out, or at once"
            f" `orchestrate breaker reset {tenant} stripe`",
        )
        for tenant, state in (("globex", half), ("initech", opened))
    ]
    assert findings(closed, closed, closed) == [fine("3 breakers, all closed")]
    assert findings(closed, half, unscheduled="globex") == [
        fine(
            "the breaker of globex is half-open; no enabled schedule of `globex` has `stripe`: a run"
            " by hand that succeeds closes the breaker, or `orchestrate breaker reset globex stripe`"
        )
    ]
    assert findings() == []


def test_breakers_that_several_machines_do_not_share_safely_are_told(bench):
    assert list(check_breakers(bench.observe(holds=Holds(is_exact=False)))) == [
        warn(
            "breakers and retry budgets are exact on one machine alone: the storage of this Dagster"
            " instance has no lock that holds on all",
            help="name the database by `runner.postgres_url`, and let `orchestrate` write dagster.yaml",
        )
    ]
