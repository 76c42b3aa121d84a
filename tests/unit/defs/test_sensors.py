from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from orchestration.defs.sensors import build_sensor, is_turn
from orchestration.domain.schedule import (
    AfterCompletionTrigger,
    AssetTrigger,
    CatchUp,
    ContinuousTrigger,
    IntervalTrigger,
    OnceTrigger,
)

ONCE = OnceTrigger(generation="2026-06")
CONTINUOUS = ContinuousTrigger(
    minimum_gap=timedelta(seconds=5),
    error_backoff=timedelta(seconds=30),
    max_error_backoff=timedelta(hours=1),
)


@pytest.fixture
def triggered(make_workspace):
    """Fifteen jobs of three tenants, each with a schedule of one generation."""
    workspace = make_workspace()
    schedules = tuple(replace(schedule, trigger=ONCE) for schedule in workspace.schedules)
    return list(zip(schedules, workspace.jobs, strict=True))


def evaluate(schedule, job, gate=lambda _: True, cursor=None):
    """What Dagster makes of a look."""
    context = dg.build_sensor_context(cursor=cursor)
    return build_sensor(schedule, job, gate).evaluate_tick(context)


def test_each_sensor_of_three_tenants_runs_its_own_job(triggered):
    launched = {
        schedule.name: [
            (request.job_name, request.asset_selection[0].to_user_string(), request.run_key)
            for request in evaluate(schedule, job).run_requests
        ]
        for schedule, job in triggered
    }

    assert launched == {
        f"{tenant}_job_{n}_hourly": [
            (tenant, f"{tenant}/job_{n}", f"{tenant}_job_{n}_hourly 2026-06")
        ]
        for tenant in ("acme", "globex", "initech")
        for n in range(5)
    }


def test_a_run_carries_the_tags_of_schedule_and_job_and_no_instant(triggered):
    [request] = evaluate(*triggered[7]).run_requests

    assert request.tags == {
        "team": "globex",
        "tenant": "globex",
        "job_name": "job_2",
        "connector_type": "command",
        "orchestration/schedule": "globex_job_2_hourly",
        ".dagster/orchestration_lasting": "true",
        "dagster/sensor_name": "globex_job_2_hourly__sensor",
    }


def test_a_skip_says_why_and_keeps_the_cursor(triggered):
    result = evaluate(*triggered[7], gate=lambda _: False, cursor="once 2026-05")

    assert result.skip_message == "schedule `globex_job_2_hourly` has `enabled: false`"
    assert result.cursor == "once 2026-05"


@pytest.mark.parametrize(
    ("by_file", "by_hand", "ticks"),
    [(None, None, 5), (3, None, 3), (None, 3, 3), (3, 1, 1), (1, 3, 1)],
)
def test_what_was_due_before_it_was_turned_on_does_not_run(triggered, by_file, by_hand, ticks):
    schedule, job = triggered[7]
    every = IntervalTrigger(interval=timedelta(hours=1, seconds=1))
    schedule = replace(schedule, trigger=every, catch_up=CatchUp.ALL)
    newest = datetime.fromtimestamp(datetime.now(UTC).timestamp() // 3601 * 3601, UTC)

    def before(count):
        return newest - (count - 0.5) * every.interval

    context = dg.build_sensor_context(
        cursor=f"ticks {before(5).isoformat()}",
        last_sensor_start_time=before(by_hand).timestamp() if by_hand else None,
    )
    since = before(by_file) if by_file else None
    found = build_sensor(schedule, job, lambda _: True, since).evaluate_tick(context)

    assert len(found.run_requests) == ticks


def test_what_has_been_launched_is_in_the_cursor(triggered):
    first = evaluate(*triggered[7])
    again = evaluate(*triggered[7], cursor=first.cursor)

    assert first.cursor == "once 2026-06"
    assert not again.run_requests


def test_a_sensor_says_what_it_does_and_runs_from_the_start_if_it_is_enabled(triggered):
    schedule, job = triggered[7]

    built = build_sensor(schedule, job, gate=lambda _: True)
    off = build_sensor(replace(schedule, enabled=False), job, gate=lambda _: True)

    assert built.name == "globex_job_2_hourly__sensor"
    assert built.job_name == "globex"
    assert built.description == "Runs `globex/job_2` once for generation `2026-06`."
    assert built.tags == {"team": "globex"}
    assert built.default_status is dg.DefaultSensorStatus.RUNNING
    assert off.default_status is dg.DefaultSensorStatus.STOPPED


@pytest.mark.parametrize(
    ("trigger", "seconds"),
    [
        (IntervalTrigger(interval=timedelta(seconds=90)), 4),
        (IntervalTrigger(interval=timedelta(hours=7)), 15),
        (AfterCompletionTrigger(delay=timedelta(minutes=10)), 4),
        (AfterCompletionTrigger(delay=timedelta(hours=10)), 15),
        (CONTINUOUS, 4),
        (ONCE, 15),
        (AssetTrigger(asset_key=("globex", "countries")), 4),
    ],
)
def test_what_is_due_seldom_is_looked_at_less_often(triggered, trigger, seconds):
    schedule, job = triggered[0]

    built = build_sensor(replace(schedule, trigger=trigger), job, gate=lambda _: True)

    assert built.minimum_interval_seconds == seconds


@pytest.mark.parametrize("sensors", [1, 2, 5, 10, 50, 100, 101, 200, 400])
def test_old_looks_of_each_sensor_are_deleted_however_many_take_turns(sensors):
    turns = 2000

    deletions = [
        sum(is_turn(mine + turn * sensors) for turn in range(turns)) for mine in range(sensors)
    ]

    assert min(deletions) >= 1
    assert sum(deletions) < 2 * turns * sensors / 100
