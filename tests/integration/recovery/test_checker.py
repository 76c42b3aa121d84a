"""The checker finds each thing that can go wrong, in logs written by hand, and nothing else."""

from dataclasses import replace

import pytest
from recovery_checker import Log, Look, Outage, Run, Work, check

SCHEDULES = {"acme_minute": "acme", "globex_minute": "globex", "initech_minute": "initech"}
TICKS = (60.0, 120.0, 180.0)


def run(schedule: str, tick: float, *, again: bool = False, status: str = "SUCCESS") -> Run:
    name = f"{schedule}@{tick:.0f}"
    created = tick + (10 if again else 1)
    return Run(
        run_id=f"{name}+" if again else name,
        root=name,
        schedule=schedule,
        tick=tick,
        tenant=SCHEDULES[schedule],
        status=status,
        created=created,
        started=created + 1,
    )


def work(of: Run, *, done: bool = True, seconds: float = 2) -> Work:
    assert of.started is not None
    return Work(
        run_id=of.run_id, tenant=of.tenant, start=of.started, end=of.started + seconds, done=done
    )


RUNS = tuple(run(schedule, tick) for schedule in SCHEDULES for tick in TICKS)
GOOD = Log(
    ticks=dict.fromkeys(SCHEDULES, (*TICKS, 240.0, 300.0)),
    latest=frozenset({"acme_minute", "initech_minute"}),
    runs=RUNS,
    works=tuple(map(work, RUNS)),
    outages=(),
    until=240.0,
    end=240.0,
)
VICTIM = run("globex_minute", 120.0)


def without(*lost: Run) -> Log:
    ids = {one.run_id for one in lost}
    return replace(
        GOOD,
        runs=[one for one in GOOD.runs if one.run_id not in ids],
        works=[one for one in GOOD.works if one.run_id not in ids],
    )


def adding(log: Log, *runs: Run, works: tuple[Work, ...] = ()) -> Log:
    return replace(log, runs=[*log.runs, *runs], works=[*log.works, *works])


def kinds(log: Log) -> list[tuple[str, float]]:
    return [(found.kind, found.at) for found in check(log)]


def test_a_good_log_has_no_violation():
    assert check(GOOD) == []


def test_a_tick_without_a_run_is_lost():
    [found] = check(without(VICTIM))

    assert (found.kind, found.at) == ("lost", 120.0)
    assert found.text == "the tick of globex_minute at 120 has no run"


def test_of_ticks_that_were_missed_together_only_the_newest_has_to_run():
    missed = run("acme_minute", 60.0)
    log = replace(without(missed), outages=[Outage(start=59.0, end=100.0, looked=130.0)])

    assert kinds(log) == []


@pytest.mark.parametrize(
    ("schedule", "outage"),
    [
        ("globex_minute", Outage(start=59.0, end=100.0, looked=130.0)),
        ("acme_minute", Outage(start=59.0, end=100.0, looked=110.0)),
        ("acme_minute", Outage(start=95.0, end=130.0, looked=130.0)),
    ],
    ids=["all ticks have to run", "it was back before the next", "it had been decided"],
)
def test_other_missed_ticks_are_lost(schedule, outage):
    log = replace(without(run(schedule, 60.0)), outages=[outage])

    assert kinds(log) == [("lost", 60.0)]


@pytest.mark.parametrize(
    ("schedule", "looked", "end", "found"),
    [
        ("acme_minute", 60.0, 121.0, []),
        ("acme_minute", 60.0, 116.0, []),  # what comes after its end is not known
        ("acme_minute", 60.0, 114.0, [("lost", 120.0)]),
        ("acme_minute", 120.0, 121.0, [("lost", 120.0)]),
        ("globex_minute", 60.0, 121.0, [("lost", 120.0)]),
    ],
)
def test_a_minute_at_which_the_scheduler_is_still_busy_with_a_schedule_passes_by(
    schedule, looked, end, found
):
    log = without(run(schedule, 120.0))
    looks = {schedule: [Look(tick=looked, end=end)], "initech_minute": [Look(tick=60.0, end=999.0)]}

    assert kinds(replace(log, looks=looks)) == found


def test_a_tick_with_two_runs_is_doubled():
    second = replace(VICTIM, run_id="second", root="second", started=150.0)
    log = adding(GOOD, second, works=(work(second),))

    assert kinds(log) == [("doubled", 120.0)]


def test_a_run_that_was_repeated_after_a_crash_is_one():
    again = run("globex_minute", 120.0, again=True)
    log = adding(
        without(VICTIM),
        replace(VICTIM, status="FAILURE"),
        again,
        works=(work(VICTIM, done=False), work(again)),
    )

    assert kinds(log) == []


def test_a_command_that_ended_and_ran_again_is_repeated():
    again = run("globex_minute", 120.0, again=True)
    log = adding(GOOD, again, works=(work(again),))

    assert again.started is not None
    assert kinds(log) == [("repeated", again.started)]


@pytest.mark.parametrize("status", ["FAILURE", "CANCELED", "STARTED"])
def test_a_tick_whose_runs_never_succeeded_is_unfinished(status):
    log = adding(without(VICTIM), replace(VICTIM, status=status))

    assert kinds(log) == [("unfinished", 120.0)]


def test_a_run_of_no_tick_is_unexpected():
    log = adding(GOOD, replace(VICTIM, run_id="stray", root="stray", tick=125.0, created=126.0))

    assert kinds(log) == [("unexpected", 126.0)]


def test_two_commands_of_one_tenant_at_once_overlap():
    log = replace(
        without(VICTIM), runs=GOOD.runs, works=[*without(VICTIM).works, work(VICTIM, seconds=61)]
    )

    assert kinds(log) == [("overlap", 182.0)]


def test_commands_of_different_tenants_may_be_under_way_at_once():
    log = replace(GOOD, works=[replace(one, end=one.start + 59) for one in GOOD.works])

    assert kinds(log) == []


def test_a_run_that_waits_while_nothing_of_its_tenant_runs_finds_its_slot_held():
    last = run("globex_minute", 180.0)
    held = replace(last, started=None, status="QUEUED")
    log = replace(adding(without(last), held), end=300.0)

    assert kinds(log) == [("unfinished", 180.0), ("held", 181.0)]


def test_a_run_that_started_late_has_found_its_slot_held():
    last = run("globex_minute", 180.0)
    late = replace(last, started=250.0)
    log = replace(adding(without(last), late, works=(work(late),)), end=300.0)

    assert kinds(log) == [("held", 181.0)]


@pytest.mark.parametrize(
    ("outages", "busy"),
    [((Outage(start=185.0, end=210.0, looked=210.0),), 1.0), ((), 50.0)],
    ids=["nobody was there", "its tenant ran something"],
)
def test_a_run_may_wait_for_a_reason(outages, busy):
    last = run("globex_minute", 180.0)
    late = replace(last, started=255.0)
    before = work(replace(VICTIM, started=150.0), seconds=busy)
    log = adding(without(last, VICTIM), VICTIM, late, works=(before, work(late)))

    assert kinds(replace(log, outages=outages, end=300.0)) == []
