from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from orchestration.domain.breaker import Admission
from orchestration.domain.due import (
    MOST_TICKS,
    Decision,
    DueRun,
    EndedRun,
    Look,
    decide,
    decide_tick,
    missed_ticks,
)
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

NOW = datetime(2026, 6, 1, 12, 0, 3, tzinfo=UTC)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOURLY = CronTrigger(expressions=("0 * * * *",))
EVERY_90_S = IntervalTrigger(interval=timedelta(seconds=90))
AFTER = AfterCompletionTrigger(delay=timedelta(minutes=10))
CONTINUOUS = ContinuousTrigger(
    minimum_gap=timedelta(seconds=5),
    error_backoff=timedelta(seconds=30),
    max_error_backoff=timedelta(minutes=5),
)
ONCE = OnceTrigger(generation="2026-06")
ON_ASSET = AssetTrigger(asset_key=("globex", "countries"))
SKIP = {"overlap": Overlap.SKIP}
DISABLED = "schedule `airports` has `enabled: false`"


@dataclass
class Runs:
    """The runs of a job, as a test wants them."""

    active: int = 0
    over: tuple[EndedRun, ...] = ()
    updates: int = 0

    def under_way(self, at_most):
        return min(self.active, at_most)

    def ended(self, count):
        return self.over[:count]

    def results(self, count):
        return self.over[:count]

    def last_update(self, asset_key):
        assert asset_key == ("globex", "countries")
        return self.updates


def schedule(trigger=HOURLY, **changes) -> Schedule:
    values = {"name": "airports", "job_id": "acme/airports", "location": Location(file="r.yaml")}
    return Schedule(trigger=trigger, **(values | changes))


def look(cursor=None, *, now=NOW, enabled=True, since=None, admit=None, **runs) -> Look:
    asked = {"admit": admit} if admit else {}
    return Look(now=now, enabled=enabled, history=Runs(**runs), since=since, cursor=cursor, **asked)


def ended(name="a1", ago=timedelta(minutes=1), *, failed=False) -> EndedRun:
    return EndedRun(run_id=name, ended=NOW - ago, failed=failed)


def none_missed():
    pytest.fail("the ticks that were missed are looked for without need")


def tick(entry, seen=None, missed=none_missed) -> Decision:
    return decide_tick(entry, NOON, seen or look(), missed)


# Ticks of Dagster's scheduler


def test_a_tick_runs_without_a_key():
    assert tick(schedule()) == Decision(runs=(DueRun(instant=NOON),))


def test_a_disabled_schedule_skips_whatever_else_holds():
    closed = schedule(end=NOON, catch_up=CatchUp.ALL, **SKIP)

    assert tick(closed, look(enabled=False, active=1)) == Decision(reason=DISABLED)


@pytest.mark.parametrize(
    ("window", "reason"),
    [
        ({"start": NOON}, ""),
        (
            {"start": NOON + timedelta(seconds=1)},
            "schedule `airports` starts at 2026-06-01 12:00:01+00:00",
        ),
        ({"end": NOON}, "schedule `airports` ended at 2026-06-01 12:00+00:00"),
        ({"end": NOON + timedelta(seconds=1)}, ""),
    ],
)
def test_the_window_includes_its_start_and_not_its_end(window, reason):
    assert tick(schedule(**window)).reason == reason


@pytest.mark.parametrize(
    ("late", "reason"),
    [
        (timedelta(minutes=5), ""),
        (
            timedelta(minutes=7, seconds=30.5),
            "the tick at 2026-06-01 12:00+00:00 is 7m30s late, and `catch_up: none` runs none later than 5m",
        ),
    ],
)
def test_without_catch_up_a_tick_that_is_more_than_5_minutes_late_skips(late, reason):
    assert tick(schedule(catch_up=CatchUp.NONE), look(now=NOON + late)).reason == reason


def test_with_the_latest_only_a_tick_runs_however_late_it_is():
    late = look(now=NOON + timedelta(days=3))

    assert tick(schedule(), late) == Decision(runs=(DueRun(instant=NOON),))


@pytest.mark.parametrize(
    ("active", "most", "reason"),
    [
        (0, 1, ""),
        (1, 1, "`overlap: skip`: a run is under way, queued or to be retried for `acme/airports`"),
        (1, 2, ""),
        (
            2,
            2,
            "`overlap: skip`: 2 runs are under way, queued or to be retried for `acme/airports`",
        ),
        (
            9,
            2,
            "`overlap: skip`: 2 runs are under way, queued or to be retried for `acme/airports`",
        ),
    ],
)
def test_overlap_skip_skips_while_as_many_runs_as_may_be_are_under_way(active, most, reason):
    entry = schedule(max_concurrent_runs=most, **SKIP)

    assert tick(entry, look(active=active)).reason == reason


def test_overlap_queue_does_not_even_look_at_the_runs():
    assert tick(schedule(), look(active=9)).reason == ""


def test_catch_up_of_all_runs_what_was_missed_first_each_under_the_key_of_its_instant():
    missed = [NOON - timedelta(hours=2), NOON - timedelta(hours=1)]

    decision = tick(schedule(catch_up=CatchUp.ALL), missed=lambda: missed)

    assert decision == Decision(
        runs=(
            DueRun(key="2026-06-01T10:00:00+00:00", instant=missed[0]),
            DueRun(key="2026-06-01T11:00:00+00:00", instant=missed[1]),
            DueRun(key="2026-06-01T12:00:00+00:00", instant=NOON),
        )
    )


def test_catch_up_of_all_still_runs_what_was_missed_in_a_window_that_has_ended():
    entry = schedule(catch_up=CatchUp.ALL, end=NOON)
    missed = [NOON - timedelta(hours=1)]

    assert [run.instant for run in tick(entry, missed=lambda: missed).runs] == missed
    assert tick(entry, missed=list).reason == "schedule `airports` ended at 2026-06-01 12:00+00:00"


def test_of_many_missed_ticks_the_oldest_run_first_and_the_tick_itself_waits_for_its_turn():
    missed = [NOON - timedelta(minutes=n) for n in reversed(range(1, MOST_TICKS + 50))]

    decision = tick(schedule(catch_up=CatchUp.ALL), missed=lambda: missed)

    assert [run.instant for run in decision.runs] == missed[:MOST_TICKS]


def hours(*ago):
    return tuple(NOON - timedelta(hours=hour) for hour in ago)


@pytest.mark.parametrize(
    ("bounds", "window", "missed"),
    [
        (hours(3), None, hours(2, 1)),
        (hours(3, 2), None, hours(1)),
        (hours(1), None, ()),
        ((NOON - timedelta(minutes=90),), None, hours(1)),
        (hours(2000), timedelta(hours=3), hours(3, 2, 1)),
        ((), None, ()),
    ],
)
def test_missed_are_the_ticks_after_the_last_bound_and_within_the_catch_up_window(
    bounds, window, missed
):
    entry = schedule(catch_up=CatchUp.ALL, catch_up_window=window)

    assert missed_ticks(entry, NOON, bounds) == missed


def test_the_catch_up_window_is_a_day_unless_told_otherwise():
    found = missed_ticks(schedule(catch_up=CatchUp.ALL), NOON, hours(2000))

    assert found == hours(*reversed(range(1, 25)))


# Intervals that cron cannot say. 12:00:00 is a tick of 90 s.


def ticked(instant: datetime) -> str:
    return f"ticks {instant.isoformat()}"


def run(*instants) -> tuple[DueRun, ...]:
    return tuple(DueRun(key=f"airports {at.isoformat()}", instant=at) for at in instants)


def test_a_tick_runs_under_its_own_key_once_its_instant_has_come():
    before = ticked(NOON - timedelta(seconds=90))

    assert decide(schedule(EVERY_90_S), look(before)) == Decision(
        runs=run(NOON), cursor=ticked(NOON)
    )


def test_a_tick_does_not_run_twice():
    assert decide(schedule(EVERY_90_S), look(ticked(NOON))) == Decision(
        reason="the next tick is at 2026-06-01 12:01:30+00:00", cursor=ticked(NOON)
    )


@pytest.mark.parametrize("cursor", [None, "", "once 2026-06", "nonsense"])
def test_the_first_look_runs_nothing_and_a_cursor_of_another_trigger_is_a_first_look(cursor):
    assert decide(schedule(EVERY_90_S), look(cursor)) == Decision(
        reason="this is the first look; ticks count from now on", cursor=ticked(NOW)
    )


def test_of_missed_ticks_the_newest_runs():
    week_ago = ticked(NOON - timedelta(days=7))

    assert decide(schedule(EVERY_90_S), look(week_ago)).runs == run(NOON)
    assert decide(schedule(HOURLY), look(week_ago)).runs == run(NOON)


def test_an_interval_shorter_than_the_time_between_looks_keeps_its_grid():
    entry = schedule(IntervalTrigger(interval=timedelta(seconds=2)))
    seen = ticked(NOON - timedelta(seconds=4))

    assert decide(entry, look(seen)) == Decision(
        runs=run(*(NOON + timedelta(seconds=at) for at in (-2, 0, 2))),
        cursor=ticked(NOON + timedelta(seconds=2)),
    )


@pytest.mark.parametrize("seconds", [45, 90, 25_200, 100_000])
def test_an_interval_keeps_its_grid_over_a_month_of_looks_at_odd_times(seconds):
    entry = schedule(IntervalTrigger(interval=timedelta(seconds=seconds)))
    chance = Random(seconds)
    now, end, cursor = NOON, NOON + timedelta(days=30), None
    launched = []
    while now < end:
        decision = decide(entry, look(cursor, now=now))
        launched += [run.instant.timestamp() for run in decision.runs]
        cursor = decision.cursor
        last, now = now, now + timedelta(seconds=chance.uniform(5, min(seconds - 5, 900)))

    first, latest = (int(at.timestamp() // seconds) for at in (NOON, last))
    assert launched == [at * seconds for at in range(first + 1, latest + 1)]


def test_without_catch_up_a_tick_more_than_5_minutes_late_is_gone():
    entry = schedule(IntervalTrigger(interval=timedelta(hours=7)), catch_up=CatchUp.NONE)
    seen = look(ticked(NOON - timedelta(days=1)))

    decision = decide(entry, seen)

    assert decision.reason.endswith("late, and `catch_up: none` runs none later than 5m")
    assert decision.cursor == ticked(NOW)


def test_with_all_every_missed_tick_within_the_window_runs_in_portions():
    window = timedelta(seconds=90 * (MOST_TICKS + 10))
    entry = schedule(EVERY_90_S, catch_up=CatchUp.ALL, catch_up_window=window)

    first = decide(entry, look(ticked(NOON - timedelta(days=30))))
    second = decide(entry, look(first.cursor))

    assert (len(first.runs), len(second.runs)) == (MOST_TICKS, 10)
    instants = [due.instant for due in (*first.runs, *second.runs)]
    assert instants == [NOON - timedelta(seconds=90 * n) for n in reversed(range(MOST_TICKS + 10))]
    assert decide(entry, look(second.cursor)).runs == ()


def test_ticks_before_the_schedule_was_enabled_do_not_come_back():
    entry = schedule(EVERY_90_S, catch_up=CatchUp.ALL)
    since = NOON - timedelta(seconds=100)

    decision = decide(entry, look(ticked(NOON - timedelta(hours=1)), since=since))

    assert [due.instant for due in decision.runs] == [NOON - timedelta(seconds=90), NOON]


@pytest.mark.parametrize(
    ("changes", "seen", "reason"),
    [
        ({}, {"enabled": False}, DISABLED),
        (
            SKIP,
            {"active": 1},
            "`overlap: skip`: a run is under way, queued or to be retried for `acme/airports`",
        ),
    ],
)
def test_a_tick_that_is_skipped_is_gone(changes, seen, reason):
    before = ticked(NOON - timedelta(hours=1))

    assert decide(schedule(EVERY_90_S, **changes), look(before, **seen)) == Decision(
        reason=reason, cursor=ticked(NOW)
    )


CHATHAM = CronTrigger(expressions=("0 3 * * *",), timezone="Pacific/Chatham")


def test_the_ticks_of_a_cron_that_dagster_cannot_keep_are_ticks_too():
    """In Chatham 03:00 does not exist on the day on which the clocks change at 02:45."""
    entry = schedule(CHATHAM)
    gap = datetime(2026, 9, 26, 14, 0, tzinfo=UTC)
    seen = ticked(gap - timedelta(hours=1))
    assert decide(entry, look(seen, now=gap)) == Decision(
        runs=run(gap), cursor=ticked(gap.astimezone(ZoneInfo("Pacific/Chatham")))
    )
    assert decide(entry, look(seen, now=gap - timedelta(seconds=1))) == Decision(
        reason="the next tick is at 2026-09-27 03:45+13:45", cursor=seen
    )


def test_ticks_outside_the_window_do_not_run():
    before = ticked(NOON - timedelta(seconds=90))

    late = decide(schedule(EVERY_90_S, start=NOON + timedelta(hours=1)), look(before))
    over = decide(schedule(EVERY_90_S, end=NOON), look(before))

    assert late.reason == "schedule `airports` starts at 2026-06-01 13:00+00:00"
    assert over.reason == "schedule `airports` ended at 2026-06-01 12:00+00:00"


# After completion, and continuously


def test_a_job_that_has_never_run_runs_at_once():
    assert decide(schedule(AFTER), look()) == Decision(
        runs=(DueRun(key="airports first of acme/airports"),)
    )


def test_it_waits_for_the_run_that_is_under_way_whoever_started_it():
    assert decide(schedule(AFTER), look(active=1, over=(ended(),))).reason == (
        "a run of `acme/airports` is under way, queued or to be retried"
    )


@pytest.mark.parametrize("failed", [False, True])
def test_the_delay_counts_from_the_end_of_the_last_run_however_that_went(failed):
    early = ended(ago=timedelta(minutes=9, seconds=59), failed=failed)
    due = ended(ago=timedelta(minutes=10), failed=failed)

    assert decide(schedule(AFTER), look(over=(early,))).reason == (
        "due at 2026-06-01 12:00:04+00:00, 10m after the last run"
    )
    assert decide(schedule(AFTER), look(over=(due,))).runs == (DueRun(key="after a1"),)


@pytest.mark.parametrize(
    ("failures", "wait"),
    [(0, 5), (1, 30), (2, 60), (3, 120), (4, 240), (5, 300), (6, 300), (500, 300)],
)
def test_a_continuous_job_backs_off_after_failures_doubling_up_to_the_longest_wait(failures, wait):
    def over(ago):
        stamps = [timedelta(seconds=ago) + timedelta(minutes=n) for n in range(failures + 1)]
        return tuple(ended(f"r{n}", at, failed=n < failures) for n, at in enumerate(stamps))

    entry = schedule(CONTINUOUS)

    assert decide(entry, look(over=over(wait - 0.5))).runs == ()
    assert decide(entry, look(over=over(wait))).runs == (DueRun(key="after r0"),)


def test_a_gap_longer_than_the_back_off_holds():
    entry = schedule(replace(CONTINUOUS, minimum_gap=timedelta(minutes=2)))
    failed = (ended(ago=timedelta(seconds=100), failed=True),)

    assert decide(entry, look(over=failed)).reason == (
        "due at 2026-06-01 12:00:23+00:00, 2m after the last run, which failed once"
    )


def test_a_back_off_of_nothing_is_no_error():
    entry = schedule(replace(CONTINUOUS, error_backoff=timedelta(0)))
    failed = tuple(ended(f"r{n}", failed=True) for n in range(9))

    assert decide(entry, look(over=failed)).runs == (DueRun(key="after r0"),)


@pytest.mark.parametrize("trigger", [AFTER, CONTINUOUS])
def test_gate_and_window_hold_for_jobs_that_follow_themselves(trigger):
    assert decide(schedule(trigger), look(enabled=False)).reason == DISABLED
    assert decide(schedule(trigger, end=NOON), look()).reason == (
        "schedule `airports` ended at 2026-06-01 12:00+00:00"
    )


# Once


def test_once_runs_one_time_for_each_generation():
    first = decide(schedule(ONCE), look())
    again = decide(schedule(ONCE), look(first.cursor))
    other = decide(schedule(OnceTrigger(generation="next one")), look(first.cursor))

    assert first == Decision(runs=(DueRun(key="airports 2026-06"),), cursor="once 2026-06")
    assert again == Decision(
        reason="generation `2026-06` has been launched; a new one runs it again",
        cursor="once 2026-06",
    )
    assert other.runs == (DueRun(key="airports next one"),)


@pytest.mark.parametrize(
    ("changes", "seen"),
    [({}, {"enabled": False}), ({"start": NOW + timedelta(1)}, {}), (SKIP, {"active": 1})],
)
def test_a_generation_that_may_not_run_yet_waits(changes, seen):
    held = decide(schedule(ONCE, **changes), look("once 2026-05", **seen))

    assert held.reason
    assert decide(schedule(ONCE), look(held.cursor)).runs == (DueRun(key="airports 2026-06"),)


# On the update of an asset


def test_an_update_before_the_first_look_does_not_run_it_and_one_after_it_does():
    first = decide(schedule(ON_ASSET), look(updates=7))
    same = decide(schedule(ON_ASSET), look(first.cursor, updates=7))
    newer = decide(schedule(ON_ASSET), look(same.cursor, updates=12))
    after = decide(schedule(ON_ASSET), look(newer.cursor, updates=12))

    assert first.reason == (
        "this is the first look; updates of `globex/countries` count from now on"
    )
    assert same.reason == after.reason == "`globex/countries` has not been updated"
    assert newer.runs == (DueRun(key="airports globex/countries 12"),)


def test_the_first_update_ever_runs_it():
    first = decide(schedule(ON_ASSET), look())

    assert decide(schedule(ON_ASSET), look(first.cursor, updates=1)).runs


def test_an_update_while_it_is_disabled_does_not_run_it_later():
    first = decide(schedule(ON_ASSET), look(updates=1))
    gated = decide(schedule(ON_ASSET), look(first.cursor, updates=2, enabled=False))
    reloaded = look(first.cursor, updates=2, since=NOON)

    assert gated.reason == DISABLED
    assert decide(schedule(ON_ASSET), look(gated.cursor, updates=2)).runs == ()
    assert decide(schedule(ON_ASSET), reloaded).runs == ()


def test_an_update_while_the_job_is_busy_runs_it_when_it_is_free():
    entry = schedule(ON_ASSET, **SKIP)
    first = decide(entry, look(updates=1))
    busy = decide(entry, look(first.cursor, updates=2, active=1))

    assert (
        busy.reason
        == "`overlap: skip`: a run is under way, queued or to be retried for `acme/airports`"
    )
    assert decide(entry, look(busy.cursor, updates=2)).runs


def test_the_cursor_of_another_asset_is_a_first_look():
    seen = look("asset globex/cities always 3", updates=9)

    assert decide(schedule(ON_ASSET), seen).runs == ()


# Breakers, and pauses after failures

OPEN = "the breaker is open"
NINE_FAILED = tuple(ended(f"r{n}", timedelta(hours=n + 1), failed=True) for n in range(9))
ENDED = (ended(ago=timedelta(hours=1)),)
BEFORE = ticked(NOON - timedelta(seconds=90))
EVERY_TRIGGER = {
    "ticks": (EVERY_90_S, BEFORE, {}),
    "after completion": (AFTER, None, {"over": ENDED}),
    "first of all": (AFTER, None, {}),
    "continuous": (CONTINUOUS, None, {"over": ENDED}),
    "once": (ONCE, "once 2026-05", {}),
    "asset": (ON_ASSET, "asset globex/countries always 1", {"updates": 2}),
}
CLAIMANTS = {
    "ticks": f"airports {NOON.isoformat()}",
    "after completion": "airports after a1",
    "first of all": "airports first of acme/airports",
    "continuous": "airports after a1",
    "once": "airports 2026-06",
    "asset": "airports globex/countries 2",
}


@dataclass
class Guard:
    """A breaker that answers what a test wants, and remembers who asked."""

    admission: Admission
    asked: list[str]

    def __call__(self, claimant: str) -> Admission:
        self.asked.append(claimant)
        return self.admission


def refusing() -> Guard:
    return Guard(Admission(refusal=OPEN), [])


def probing() -> Guard:
    return Guard(Admission(is_probe=True), [])


def not_asked(claimant):
    pytest.fail(f"`{claimant}` claims the probe although it does not run")


@pytest.mark.parametrize("kind", EVERY_TRIGGER)
def test_an_open_breaker_holds_every_kind_of_trigger_back(kind):
    trigger, cursor, seen = EVERY_TRIGGER[kind]
    guard = refusing()

    decision = decide(schedule(trigger), look(cursor, admit=guard, **seen))

    assert (decision.runs, decision.reason, guard.asked) == ((), OPEN, [CLAIMANTS[kind]])


@pytest.mark.parametrize("kind", ["once", "asset"])
@pytest.mark.parametrize(
    "held",
    [
        {"admit": refusing()},
        {"over": NINE_FAILED},
    ],
)
def test_what_happens_once_is_not_lost_while_it_is_held_back(kind, held):
    trigger, cursor, seen = EVERY_TRIGGER[kind]
    entry = schedule(trigger, max_consecutive_errors=3)

    decision = decide(entry, look(cursor, **seen, **held))

    assert (decision.runs, decision.cursor) == ((), cursor)
    assert len(decide(entry, look(decision.cursor, **seen)).runs) == 1


def test_a_tick_that_the_breaker_skips_is_gone():
    assert tick(schedule(), look(admit=refusing())) == Decision(reason=OPEN)
    assert decide(schedule(EVERY_90_S), look(BEFORE, admit=refusing())) == Decision(
        reason=OPEN, cursor=ticked(NOW)
    )


def test_a_tick_asks_the_breaker_in_its_own_name():
    guard = probing()

    assert tick(schedule(), look(admit=guard)).runs == (DueRun(instant=NOON),)
    assert guard.asked == [f"airports {NOON.isoformat()}"]


def test_a_probe_is_alone_whatever_was_missed():
    guard, missed = probing(), hours(2, 1)

    of_schedule = tick(schedule(catch_up=CatchUp.ALL), look(admit=guard), missed=lambda: missed)
    of_sensor = decide(
        schedule(EVERY_90_S, catch_up=CatchUp.ALL),
        look(ticked(NOON - timedelta(minutes=5)), admit=guard),
    )

    first = NOON - timedelta(seconds=180 + 90)
    assert [run.instant for run in of_schedule.runs] == [missed[0]]
    assert [run.instant for run in of_sensor.runs] == [first]
    assert of_sensor.cursor == ticked(first)
    assert guard.asked == [f"airports {at.isoformat()}" for at in (missed[0], first)]


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({}, {"enabled": False}),
        ({"end": NOON}, {}),
        (SKIP, {"active": 1}),
        ({"max_consecutive_errors": 3}, {"over": NINE_FAILED}),
    ],
)
def test_what_does_not_run_for_another_reason_claims_no_probe(changes, seen):
    assert tick(schedule(**changes), look(admit=not_asked, **seen)).reason
    for trigger, cursor, more in EVERY_TRIGGER.values():
        busy = {"active": 1} if changes == SKIP and trigger in (AFTER, CONTINUOUS) else {}
        decision = decide(
            schedule(trigger, **changes), look(cursor, admit=not_asked, **(more | seen | busy))
        )
        assert decision.runs == ()


@pytest.mark.parametrize("kind", EVERY_TRIGGER)
def test_failures_in_a_row_pause_every_kind_of_trigger(kind):
    trigger, cursor, seen = EVERY_TRIGGER[kind]
    entry = schedule(trigger, max_consecutive_errors=3)

    decision = decide(entry, look(cursor, **(seen | {"over": NINE_FAILED})))

    assert decision.runs == ()
    assert decision.reason == tick(entry, look(over=NINE_FAILED)).reason
    assert decision.reason.startswith("paused by `max_consecutive_errors`: each of the last 3 runs")
