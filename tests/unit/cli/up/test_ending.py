from datetime import timedelta
from pathlib import Path

import pytest

from orchestration.cli.dev.screen import Event
from orchestration.cli.dev.ui import UiUnreachableError
from orchestration.cli.up.ending import Ending

BUSY = ("acme/orders", "globex/orders", "initech/orders")


class FakeSupervisor:
    """Notes what is stopped."""

    def __init__(self, deeds):
        self._deeds = deeds

    def stop(self, names=None, *, hurry):
        self._deeds.append(f"stop {names or 'all'}")
        return [] if names else ["webserver"] if hurry() else []


class FakeCancellation:
    """The process that cancels runs; it takes some looks, or ends when it is killed."""

    log = Path("/srv/logs/cancel.log")

    def __init__(self, deeds, ending, looks):
        self._deeds = deeds
        self._ending = ending
        self._looks = looks

    def ended(self):
        self._looks -= 1
        return self._ending if self._looks < 0 else None

    def kill(self):
        self._deeds.append("kill")
        self._looks = 0

    def tail(self):
        return "acme/orders has ended\nglobex/orders has ended"


class Bench:
    """An end whose runs end at the given times, and whose operator is `hurried` at others."""

    def __init__(self, endings, *, hurried=(), cancellation="exit code 0", looks=5):
        self.now = 0.0
        self.deeds = []
        self.told = []
        self._endings = endings
        self._hurried = hurried
        self._cancellation = FakeCancellation(self.deeds, cancellation, looks)
        self.ending = Ending(
            runs=self._runs,
            cancel=self._cancel,
            cancel_within=timedelta(seconds=20),
            patience=timedelta(seconds=30),
            hurried=lambda: sum(at <= self.now for at in self._hurried),
            tell=self.told.append,
            clock=lambda: self.now,
            pause=self._pause,
        )

    def carry_out(self):
        return self.ending.carry_out(FakeSupervisor(self.deeds))

    def _runs(self):
        if self._endings is None:
            raise UiUnreachableError("connection refused")
        return [job for job, at in self._endings.items() if at > self.now]

    def _cancel(self):
        self.deeds.append("cancel")
        return self._cancellation

    def _pause(self, seconds):
        self.now = round(self.now + seconds, 3)


def texts(bench, kind):
    return [event.text for event in bench.told if event.kind == kind]


def test_without_runs_everything_stops_at_once_the_daemon_first():
    bench = Bench({})

    assert bench.carry_out() == []
    assert (bench.deeds, bench.now) == (["stop ['daemon']", "stop all"], 0)
    assert bench.told == [
        Event(kind="stopping", text="the schedules"),
        Event(kind="stopping", text="everything else"),
    ]


def test_runs_that_end_in_time_are_waited_for_and_each_end_is_told():
    bench = Bench(dict(zip(BUSY, (4, 10, 10), strict=True)))

    bench.carry_out()

    assert (bench.deeds, bench.now) == (["stop ['daemon']", "stop all"], 10)
    assert texts(bench, "waiting") == [
        "for 3 runs to end, at most 30s: acme/orders, globex/orders, initech/orders",
        "for 2 runs to end, at most 26s: globex/orders, initech/orders",
    ]


def test_runs_that_go_on_are_cancelled_after_the_patience():
    bench = Bench(dict.fromkeys(BUSY, 1000))

    bench.carry_out()

    assert bench.deeds == ["stop ['daemon']", "cancel", "stop all"]
    assert 30 <= bench.now <= 31
    assert texts(bench, "cancelling") == [
        "the runs that are still under way",
        "acme/orders has ended",
        "globex/orders has ended",
    ]


def test_a_cancellation_that_fails_is_an_error_with_its_log():
    bench = Bench(dict.fromkeys(BUSY, 1000), cancellation="exit code 1")

    bench.carry_out()

    assert texts(bench, "error") == [
        "not all runs are cancelled (exit code 1); see /srv/logs/cancel.log"
    ]


def test_a_cancellation_that_hangs_is_killed_at_its_deadline():
    bench = Bench(dict.fromkeys(BUSY, 1000), cancellation="killed by SIGKILL", looks=10**6)

    bench.carry_out()

    assert bench.deeds == ["stop ['daemon']", "cancel", "kill", "stop all"]
    assert 50 <= bench.now < 51
    assert texts(bench, "error") == [
        "not all runs are cancelled (killed by SIGKILL); see /srv/logs/cancel.log"
    ]


def test_a_ui_that_does_not_answer_does_not_cost_the_runs_their_patience():
    bench = Bench(None)

    bench.carry_out()

    assert bench.deeds == ["stop ['daemon']", "cancel", "stop all"]
    assert texts(bench, "waiting") == [
        "for the UI, which knows the runs under way and does not answer"
    ]


@pytest.mark.parametrize(
    ("hurried", "deeds", "left"),
    [
        ([5], ["stop ['daemon']", "cancel", "stop all"], []),
        ([5, 5.3], ["stop ['daemon']", "cancel", "kill", "stop all"], ["webserver"]),
        ([5, 5], ["stop ['daemon']", "stop all"], ["webserver"]),
    ],
)
def test_a_second_signal_cancels_the_runs_and_a_third_one_kills_everything(hurried, deeds, left):
    bench = Bench(dict.fromkeys(BUSY, 1000), hurried=hurried)

    assert bench.carry_out() == left
    assert bench.deeds == deeds
    assert bench.now <= 6


def test_of_many_runs_the_first_ten_are_named():
    bench = Bench({f"acme/job_{n:02}": 1 for n in range(12)})

    bench.carry_out()

    assert texts(bench, "waiting")[0].endswith(" acme/job_08, acme/job_09 and 2 more")
