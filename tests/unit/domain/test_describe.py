from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orchestration.domain.describe import (
    dagster_name,
    describe_schedule,
    is_sensor,
    schedule_name,
)
from orchestration.domain.limits import Priority
from orchestration.domain.problem import Location
from orchestration.domain.schedule import (
    AfterCompletionTrigger,
    AssetTrigger,
    CatchUp,
    ContinuousTrigger,
    CronTrigger,
    IntervalTrigger,
    OnceTrigger,
    Overlap,
    Schedule,
)

HOURLY = CronTrigger(expressions=("7 * * * *",), timezone="Europe/Berlin")
CONTINUOUS = ContinuousTrigger(
    minimum_gap=timedelta(seconds=5),
    error_backoff=timedelta(seconds=30),
    max_error_backoff=timedelta(hours=1),
)


def schedule(trigger=HOURLY, **changes) -> Schedule:
    values = {"name": "airports", "job_id": "acme/airports", "location": Location(file="r.yaml")}
    return Schedule(trigger=trigger, **(values | changes))


@pytest.mark.parametrize(
    ("trigger", "text"),
    [
        (HOURLY, "at `7 * * * *` (Europe/Berlin)"),
        (
            CronTrigger(expressions=("0 2 * * *", "0 14 * * 1")),
            "at `0 2 * * *` and at `0 14 * * 1` (UTC)",
        ),
        (IntervalTrigger(interval=timedelta(minutes=90)), "every 1h30m on the UTC grid"),
        (IntervalTrigger(interval=timedelta(hours=7)), "every 7h on the UTC grid"),
        (AfterCompletionTrigger(delay=timedelta(minutes=10)), "10m after its last run has ended"),
        (CONTINUOUS, "again and again, 5s apart, after failures 30s, doubling up to 1h"),
        (OnceTrigger(generation="2026-06"), "once for generation `2026-06`"),
        (
            AssetTrigger(asset_key=("globex", "duckdb", "countries")),
            "when `globex/duckdb/countries` has been updated",
        ),
    ],
)
def test_each_trigger_is_described_in_words(trigger, text):
    assert describe_schedule(schedule(trigger)) == f"Runs `acme/airports` {text}."


def test_everything_that_changes_when_it_runs_is_in_the_sentence():
    berlin = ZoneInfo("Europe/Berlin")
    busy = schedule(
        spread=timedelta(minutes=10),
        offset=timedelta(minutes=7),
        start=datetime(2026, 1, 1, tzinfo=berlin),
        end=datetime(2026, 12, 31, 18, tzinfo=berlin),
        overlap=Overlap.SKIP,
        catch_up=CatchUp.ALL,
        catch_up_window=timedelta(hours=6),
        priority=Priority.HIGH,
        max_consecutive_errors=3,
        enabled=False,
    )

    assert describe_schedule(busy) == (
        "Runs `acme/airports` at `7 * * * *` (Europe/Berlin); moved by 7m, chosen within a spread"
        " of 10m; only from 2026-01-01 00:00+01:00 on and before 2026-12-31 18:00+01:00; skipped"
        " while a run of it is under way; every tick that was missed runs, at most 6h later; paused"
        " after 3 failures in a row; priority high; disabled in runner.yaml."
    )


def test_the_offset_of_an_interval_is_named_once():
    minutes = timedelta(minutes=7)
    spread = replace(
        schedule(IntervalTrigger(interval=timedelta(hours=1), offset=minutes)),
        spread=timedelta(minutes=10),
        offset=minutes,
    )

    assert describe_schedule(spread) == (
        "Runs `acme/airports` every 1h on the UTC grid; moved by 7m, chosen within a spread of 10m."
    )


def test_a_limit_above_one_and_no_catch_up_are_said_too():
    several = schedule(max_concurrent_runs=3, catch_up=CatchUp.NONE)

    assert describe_schedule(several) == (
        "Runs `acme/airports` at `7 * * * *` (Europe/Berlin); up to 3 runs at once; a tick that was"
        " missed does not run."
    )
    assert "skipped while 3 runs of it are under way" in describe_schedule(
        replace(several, overlap=Overlap.SKIP)
    )


def test_a_schedule_that_one_failure_pauses_is_described():
    text = describe_schedule(schedule(max_consecutive_errors=1))

    assert text == "Runs `acme/airports` at `7 * * * *` (Europe/Berlin); paused after a failure."


def test_a_window_may_begin_at_a_second():
    start = datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)

    assert "only from 2026-01-01 00:00:05+00:00 on." in describe_schedule(schedule(start=start))


@pytest.mark.parametrize(
    ("trigger", "sensor"),
    [
        (HOURLY, False),
        (CronTrigger(expressions=("30 23 * * *",), timezone="America/Santiago"), False),
        (CronTrigger(expressions=("0 3 * * *",), timezone="Pacific/Chatham"), True),
        (IntervalTrigger(interval=timedelta(minutes=90)), False),
        (IntervalTrigger(interval=timedelta(minutes=90), offset=timedelta(minutes=7)), False),
        (IntervalTrigger(interval=timedelta(seconds=90)), True),
        (IntervalTrigger(interval=timedelta(hours=7)), True),
        (AfterCompletionTrigger(delay=timedelta(minutes=10)), True),
        (CONTINUOUS, True),
        (OnceTrigger(generation="1"), True),
        (AssetTrigger(asset_key=("a", "b")), True),
    ],
)
def test_what_no_union_of_crons_can_say_is_a_sensor_with_a_name_that_no_schedule_has(
    trigger, sensor
):
    assert is_sensor(schedule(trigger)) is sensor
    assert dagster_name(schedule(trigger)) == ("airports__sensor" if sensor else "airports")
    assert schedule_name(dagster_name(schedule(trigger)), sensor=sensor) == "airports"


def test_a_schedule_of_that_name_would_be_told_from_a_sensor():
    """As one from before such names were refused."""
    odd = schedule(name="airports__sensor")

    assert schedule_name(dagster_name(odd), sensor=False) == "airports__sensor"
