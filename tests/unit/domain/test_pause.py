"""A schedule is paused while its job fails again and again."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.domain.due import EndedRun
from orchestration.domain.pause import explain_pause
from orchestration.domain.problem import Location
from orchestration.domain.schedule import CronTrigger, Schedule

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PAUSED = (
    "paused by `max_consecutive_errors`: each of the last 3 runs of `acme/airports` failed; a"
    " success of the job ends it, or `orchestrate schedule resume hourly`"
)


@dataclass
class Results:
    """The results of a job's runs, the newest first; `asked` is how many somebody wanted to see."""

    over: list[EndedRun]
    asked: int = 0

    def results(self, count):
        self.asked = count
        return self.over  # some more than were asked for, as the instance gives them


def results(pattern: str) -> Results:
    """`f` stands for a failure and `s` for a success, an hour apart; the last ended at noon."""
    return Results(
        [
            EndedRun(run_id=f"r{n}", ended=NOON - n * timedelta(hours=1), failed=letter == "f")
            for n, letter in enumerate(reversed(pattern))
        ]
    )


def schedule(most: int | None = 3) -> Schedule:
    return Schedule(
        name="hourly",
        job_id="acme/airports",
        trigger=CronTrigger(expressions=("0 * * * *",)),
        max_consecutive_errors=most,
        location=Location(file="runner.yaml"),
    )


def never():
    return None


def not_asked():
    pytest.fail("it is asked without need whether somebody has resumed the schedule")


@pytest.mark.parametrize(
    ("runs", "reason"),
    [("", ""), ("ff", ""), ("fff", PAUSED), ("sfff", PAUSED), ("fffff", PAUSED), ("ffs", "")],
)
def test_it_is_paused_while_so_many_of_the_last_runs_failed(runs, reason):
    assert explain_pause(schedule(), results(runs), never) == reason


@pytest.mark.parametrize("runs", ["", "ff", "ffs", "fsf"])
def test_it_is_not_asked_who_resumed_what_is_not_paused(runs):
    assert not explain_pause(schedule(), results(runs), not_asked)


def test_without_the_setting_nothing_is_asked():
    history = results("ffff")

    assert not explain_pause(schedule(None), history, not_asked)
    assert history.asked == 0


def test_one_failure_may_be_enough():
    reason = explain_pause(schedule(1), results("f"), never)

    assert reason.startswith("paused by `max_consecutive_errors`: the last run of `acme/airports`")


@pytest.mark.parametrize(
    ("resumed", "paused"),
    [
        (timedelta(0), False),
        (timedelta(hours=-2), False),
        (timedelta(hours=-2, seconds=-1), True),
        (timedelta(days=-1), True),
    ],
)
def test_runs_that_had_ended_when_it_was_resumed_do_not_count(resumed, paused):
    reason = explain_pause(schedule(), results("fff"), lambda: NOON + resumed)

    assert bool(reason) is paused
