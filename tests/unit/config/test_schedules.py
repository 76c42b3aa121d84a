"""What schedule entries say becomes schedules, whole values, for several tenants."""

from datetime import UTC, datetime, timedelta

import pytest

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
from orchestration.domain.spread import choose_offset

FILES = {
    "jobs/acme/orders.yaml": "command: [python, orders.py]\n",
    "jobs/globex/users.yaml": "command: [python, users.py]\ntarget_connector: lake\n",
    "jobs/initech/reports.yaml": "command: [python, reports.py]\n",
}
ORDERS, USERS, REPORTS = FILES
LINE = Location(file="runner.yaml", line=4, column=9)
MINUTE = timedelta(minutes=1)


def runner_of(*entries):
    lines = "".join(f"      - {{{entry}}}\n" for entry in entries)
    return f"runner:\n  orchestrator:\n    schedules:\n{lines}"


@pytest.fixture
def read(load):
    """The schedules of entries without problems."""

    def read_entries(*entries):
        workspace = load({"runner.yaml": runner_of(*entries), **FILES})
        assert workspace.problems == ()
        return workspace.schedules

    return read_entries


def triggers(workspace):
    return {schedule.name: schedule.trigger for schedule in workspace.schedules}


def codes(workspace):
    return [(problem.code, problem.location.line) for problem in workspace.problems]


@pytest.mark.parametrize(
    ("fields", "trigger"),
    [
        ("cron: '@daily'", CronTrigger(expressions=("0 0 * * *",))),
        ("interval_seconds: 45", IntervalTrigger(interval=timedelta(seconds=45))),
        ("interval_seconds: 100000", IntervalTrigger(interval=timedelta(seconds=100_000))),
        (
            "after_completion_seconds: 600",
            AfterCompletionTrigger(delay=timedelta(minutes=10)),
        ),
        (
            "continuous: true",
            ContinuousTrigger(
                minimum_gap=timedelta(seconds=5),
                error_backoff=timedelta(seconds=30),
                max_error_backoff=timedelta(hours=1),
            ),
        ),
        (
            "continuous: true, minimum_gap_seconds: 1, max_error_backoff_seconds: 60",
            ContinuousTrigger(
                minimum_gap=timedelta(seconds=1),
                error_backoff=timedelta(seconds=30),
                max_error_backoff=timedelta(minutes=1),
            ),
        ),
        ("once: 2026-06-migration", OnceTrigger(generation="2026-06-migration")),
        ("once: 2026-06-01", OnceTrigger(generation="2026-06-01")),
        ("once: 7", OnceTrigger(generation="7")),
        ("on_asset: globex/users", AssetTrigger(asset_key=("globex", "lake", "users"))),
        ("on_asset: globex/lake/users", AssetTrigger(asset_key=("globex", "lake", "users"))),
        ("on_asset: initech/reports", AssetTrigger(asset_key=("initech", "reports"))),
    ],
)
def test_each_trigger_is_read(read, fields, trigger):
    (schedule,) = read(f"name: a, config: {ORDERS}, {fields}")
    assert schedule == Schedule(name="a", job_id="acme/orders", trigger=trigger, location=LINE)


def test_all_options_are_read(read):
    (schedule,) = read(
        f"name: a, config: {USERS}, cron: '0 2 * * *', timezone: Europe/Berlin, start: 2026-01-01, "
        "end: 2098-12-31T18:00:00+01:00, overlap: skip, catch_up: all, catch_up_window: 6h, "
        "spread: 10m, priority: high, max_concurrent_runs: 2, max_consecutive_errors: 5, "
        "enabled: false, tags: {team: data}"
    )
    offset = choose_offset("a", timedelta(minutes=10))
    assert schedule == Schedule(
        name="a",
        job_id="globex/users",
        trigger=CronTrigger(expressions=(f"{offset // MINUTE} 2 * * *",), timezone="Europe/Berlin"),
        enabled=False,
        max_concurrent_runs=2,
        tags={"team": "data"},
        start=datetime(2025, 12, 31, 23, tzinfo=UTC),
        end=datetime(2098, 12, 31, 17, tzinfo=UTC),
        overlap=Overlap.SKIP,
        catch_up=CatchUp.ALL,
        catch_up_window=timedelta(hours=6),
        spread=timedelta(minutes=10),
        offset=offset,
        priority=Priority.HIGH,
        max_consecutive_errors=5,
        location=LINE,
    )


@pytest.mark.parametrize(
    ("written", "window"), [("all", timedelta(days=1)), ("latest", None), ("none", None)]
)
def test_only_the_catching_up_of_all_ticks_has_a_window(read, written, window):
    (schedule,) = read(f"name: a, config: {USERS}, interval_seconds: 90, catch_up: {written}")
    assert (schedule.catch_up, schedule.catch_up_window) == (CatchUp(written), window)


def test_a_spread_moves_each_tenants_schedule_by_its_own_name(read):
    names = ("acme_hourly", "globex_hourly", "initech_hourly")
    schedules = read(
        *(
            f"name: {name}, config: {file}, cron: '0 * * * *', spread: 1h"
            for name, file in zip(names, FILES, strict=True)
        )
    )
    minutes = [choose_offset(name, timedelta(hours=1)) // MINUTE for name in names]
    assert len(set(minutes)) == 3
    assert [(s.job_id, s.trigger, s.offset) for s in schedules] == [
        (job, CronTrigger(expressions=(f"{minute} * * * *",)), minute * MINUTE)
        for job, minute in zip(
            ("acme/orders", "globex/users", "initech/reports"), minutes, strict=True
        )
    ]


def test_a_spread_is_the_offset_of_an_interval(read):
    (schedule,) = read(f"name: a, config: {USERS}, interval_seconds: 5400, spread: 90m")
    offset = choose_offset("a", timedelta(minutes=90))
    assert schedule.trigger == IntervalTrigger(interval=timedelta(minutes=90), offset=offset)


@pytest.mark.parametrize(
    ("zone", "written", "instant"),
    [
        ("UTC", "2026-07-01", "2026-07-01T00:00"),
        ("Europe/Berlin", "2026-07-01", "2026-06-30T22:00"),
        ("Europe/Berlin", "2026-07-01T06:30", "2026-07-01T04:30"),
        ("Europe/Berlin", "2026-07-01 06:30:15", "2026-07-01T04:30:15"),
        ("Europe/Berlin", "2026-07-01T06:30:00Z", "2026-07-01T06:30"),
        ("Asia/Tokyo", "2026-07-01T06:30:00-05:00", "2026-07-01T11:30"),
        ("America/Santiago", "2026-09-06", "2026-09-06T04:00"),  # midnight is skipped
        ("America/Havana", "2026-11-01", "2026-11-01T04:00"),  # midnight comes twice
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00"),  # the whole day is skipped
        ("Australia/Lord_Howe", "2026-10-04T02:30", "2026-10-03T15:30"),  # a gap of half an hour
    ],
)
@pytest.mark.parametrize("quote", ["", "'"])
def test_windows_are_instants_in_the_zone_of_the_schedule(read, zone, written, instant, quote):
    (schedule,) = read(
        f"name: a, config: {USERS}, cron: '@daily', timezone: {zone}, start: {quote}{written}{quote}"
    )
    assert schedule.start == datetime.fromisoformat(f"{instant}+00:00")


def test_triggers_without_a_clock_take_their_windows_in_a_zone_too(read):
    fields = "timezone: Asia/Tokyo, end: 2099-01-01"
    schedules = read(
        f"name: a, config: {ORDERS}, once: 1, {fields}",
        f"name: b, config: {USERS}, interval_seconds: 90, {fields}",
        f"name: c, config: {REPORTS}, continuous: true, {fields}",
    )
    assert {schedule.end for schedule in schedules} == {datetime(2098, 12, 31, 15, tzinfo=UTC)}


def test_an_asset_of_a_broken_job_can_be_waited_for(load):
    files = {**FILES, USERS: "comand: [x]\ntarget_connector: lake\n"}
    entry = f"name: a, config: {ORDERS}, on_asset: globex/users"
    workspace = load({"runner.yaml": runner_of(entry), **files})
    assert triggers(workspace) == {"a": AssetTrigger(asset_key=("globex", "lake", "users"))}


def test_the_whole_key_of_a_job_without_a_target_names_it_beside_others(load):
    files = {"jobs/globex/copy.yaml": "command: [x]\nasset: users\n", **FILES}
    entry = f"name: a, config: {ORDERS}, on_asset: globex/users"
    workspace = load({"runner.yaml": runner_of(entry), **files})
    assert triggers(workspace) == {"a": AssetTrigger(asset_key=("globex", "users"))}


CHAIN = (
    f"name: a, config: {USERS}, on_asset: acme/orders",
    f"name: b, config: {REPORTS}, on_asset: globex/users",
    f"name: c, config: {ORDERS}, on_asset: initech/reports",
)


def test_only_the_last_schedule_of_a_circle_is_refused(load):
    workspace = load({"runner.yaml": runner_of(*CHAIN), **FILES})
    assert list(triggers(workspace)) == ["a", "b"]
    assert codes(workspace) == [("ORC214", 6)]


def test_a_schedule_with_a_wrong_asset_stays_as_it_was(load, kept):
    store = kept()
    good = runner_of(*CHAIN[:2])
    load({"runner.yaml": good, **FILES}, last_good=store)
    wrong = runner_of(CHAIN[0].replace("acme/orders", "acme/ordres"), CHAIN[1])
    for _ in range(3):
        workspace = load({"runner.yaml": wrong, **FILES}, last_good=store)
        assert triggers(workspace) == {
            "a": AssetTrigger(asset_key=("acme", "orders")),
            "b": AssetTrigger(asset_key=("globex", "lake", "users")),
        }
        assert codes(workspace) == [("ORC208", 1), ("ORC211", 4)]
    workspace = load({"runner.yaml": good, **FILES}, last_good=store)
    assert workspace.problems == ()
    assert set(store.texts) == {"runner.yaml", *FILES}


def test_a_schedule_with_a_wrong_asset_serves_beside_one_that_is_broken_otherwise(load, kept):
    store = kept()
    load({"runner.yaml": runner_of(*CHAIN[:2]), **FILES}, last_good=store)
    wrong = runner_of(
        CHAIN[0].replace("on_asset: acme/orders", "on_asset: acme/ordres"),
        CHAIN[1].replace("on_asset", "onasset"),
    )
    for _ in range(3):
        workspace = load({"runner.yaml": wrong, **FILES}, last_good=store)
        assert list(triggers(workspace)) == ["a", "b"]
        assert [code for code, _ in codes(workspace)].count("ORC208") == 2


def test_a_run_worker_takes_the_assets_of_other_jobs_as_they_are_written(load):
    workspace = load({"runner.yaml": runner_of(*CHAIN), **FILES}, only=[f"/workspace/{REPORTS}"])
    assert triggers(workspace) == {"b": AssetTrigger(asset_key=("globex", "users"))}
    assert workspace.problems == ()


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ("name: off\n        interval_seconds: 60", "ORC009"),
        ("name: globex_orders\n        cron: ${UNSET}", "ORC301"),
        ("name: globex_orders\n        cron: '0 2 * * *'\n        cron: '0 3 * * *'", "ORC008"),
    ],
)
def test_yaml_and_references_that_are_wrong_in_one_entry_cost_that_entry_alone(load, bad, code):
    entries = "\n".join(
        f"      - config: jobs/{tenant}/orders.yaml\n        {lines}"
        for tenant, lines in (
            ("acme", "name: acme_orders\n        interval_seconds: 60"),
            ("globex", bad),
            ("initech", "name: initech_orders\n        interval_seconds: 60"),
        )
    )
    workspace = load(
        {
            "runner.yaml": f"runner:\n  orchestrator:\n    schedules:\n{entries}\n",
            **{
                f"jobs/{tenant}/orders.yaml": "asset: orders\ncommand: [load]\n"
                for tenant in ("acme", "globex", "initech")
            },
        }
    )

    assert [problem.code for problem in workspace.problems if problem.is_error] == [code]
    assert workspace.is_sound
    assert [schedule.name for schedule in workspace.schedules] == ["acme_orders", "initech_orders"]
    assert [job.id for job in workspace.jobs] == ["acme/orders", "globex/orders", "initech/orders"]
