import _thread
import contextlib
import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import psutil
import pytest

from orchestration.runner import Stopped, Stream, stop_on_signals

SECOND = timedelta(seconds=1)


class Interrupt(BaseException):
    """As Dagster's: raised by a signal handler, and no `Exception`."""


@contextlib.contextmanager
def alarms(after_seconds: float = 0) -> Iterator[None]:
    """Within it, SIGALRM raises a new `Interrupt`; the first comes after so many seconds."""

    def interrupt(*_) -> None:
        raise Interrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, after_seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def signals_as_in_a_terminal() -> Iterator[None]:
    """Tests that are started in the background inherit that SIGINT is ignored."""
    handlers = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def when_ready(attempt, count: int, do) -> None:
    """Call `do` as soon as `count` processes of the tree have said that they are ready."""

    def on_line(_line: str) -> None:
        if attempt.lines.count((Stream.STDOUT, "ready")) == count:
            attempt.on_line = lambda _: None
            do()

    attempt.on_line = on_line


def test_an_interrupt_while_waiting_ends_the_tree_and_goes_on(attempt, marker):
    when_ready(attempt, 4, lambda: signal.setitimer(signal.ITIMER_REAL, 0.2))
    started = time.monotonic()
    with alarms(), pytest.raises(Interrupt):
        attempt.run(*marker.tree("plain setsid setsid-orphan"), grace_period=60 * SECOND)
    assert time.monotonic() - started < 15
    assert marker.processes() == []


def test_a_tree_that_is_deaf_is_killed_after_its_grace_period(attempt, marker):
    when_ready(attempt, 3, lambda: signal.setitimer(signal.ITIMER_REAL, 0.001))
    with alarms(), pytest.raises(Interrupt):
        attempt.run(*marker.tree("deaf deaf-setsid"), grace_period=SECOND)
    assert marker.processes() == []


def test_a_tree_of_many_processes_is_ended_too(attempt, marker):
    when_ready(attempt, 101, lambda: signal.setitimer(signal.ITIMER_REAL, 0.001))
    with alarms(), pytest.raises(Interrupt):
        attempt.run(*marker.tree("deaf-setsid-orphan " * 100), grace_period=SECOND / 5)
    assert attempt.lines == [(Stream.STDOUT, "ready")] * 101
    assert marker.processes() == []


def test_cancelling_takes_little_more_than_the_grace_period(attempt, marker):
    moments = []
    when_ready(attempt, 2, lambda: moments.append(time.monotonic()) or os.kill(os.getpid(), 2))
    with pytest.raises(KeyboardInterrupt):
        attempt.run(*marker.tree("deaf-setsid"), grace_period=SECOND)
    assert 1 <= time.monotonic() - moments[0] < 5


def test_a_keyboard_interrupt_is_one_too(attempt, marker):
    when_ready(attempt, 2, lambda: threading.Timer(0.1, os.kill, (os.getpid(), 2)).start())
    with pytest.raises(KeyboardInterrupt):
        attempt.run(*marker.tree("setsid"))
    assert marker.processes() == []


def test_an_interrupt_that_another_thread_simulates_is_seen_promptly(attempt, marker):
    when_ready(attempt, 1, lambda: threading.Timer(0.1, _thread.interrupt_main).start())
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        attempt.run(*marker.tree(""))
    assert time.monotonic() - started < 15


def test_a_second_interrupt_cuts_the_grace_period_short_and_the_first_goes_on(attempt, marker):
    raised = []

    def interrupt(*_) -> None:
        raised.append(Interrupt())
        if len(raised) == 1:
            signal.setitimer(signal.ITIMER_REAL, 0.3)
        raise raised[-1]

    when_ready(attempt, 3, lambda: signal.setitimer(signal.ITIMER_REAL, 0.1))
    started = time.monotonic()
    with alarms():
        signal.signal(signal.SIGALRM, interrupt)
        with pytest.raises(Interrupt) as caught:
            attempt.run(*marker.tree("deaf deaf-setsid"), grace_period=60 * SECOND)
    assert time.monotonic() - started < 15
    assert len(raised) == 2
    assert caught.value is raised[0]
    assert marker.processes() == []


def test_last_words_during_the_grace_period_are_handed_on(attempt):
    code = "trap 'echo bye; exit 143' TERM; echo ready; while :; do sleep 0.01; done"
    when_ready(attempt, 1, lambda: signal.setitimer(signal.ITIMER_REAL, 0.1))
    with alarms(), pytest.raises(Interrupt):
        attempt.run("sh", "-c", code)
    assert attempt.lines_of(Stream.STDOUT) == ["ready", "bye"]


def test_a_callback_that_fails_ends_the_tree_gracefully(attempt, marker):
    def fail(_line: str) -> None:
        raise BrokenPipeError

    attempt.on_line = fail
    code = "trap 'echo told > told; exit 1' TERM; echo ready; while :; do echo x; sleep 0.01; done"
    with pytest.raises(BrokenPipeError):
        attempt.run("sh", "-c", code, marker.text)
    assert (attempt.folder / "told").read_text() == "told\n"
    assert marker.processes() == []


# An interrupt while the guard is being started leaves its objects to the garbage collection. That
# guard has no order yet, and ends by itself.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("milliseconds", range(1, 41, 3))
def test_an_interrupt_at_any_moment_leaves_nothing(attempt, marker, milliseconds: int):
    before = psutil.Process().children()
    with pytest.raises(Interrupt), alarms(milliseconds / 1000):
        attempt.run(*marker.tree("setsid"), grace_period=SECOND / 5)
    assert marker.processes() == []
    gc.collect()
    own = [child for child in psutil.Process().children() if child not in before]
    _, alive = psutil.wait_procs(own, timeout=15)
    assert alive == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_command_line_stops_the_attempt(attempt, marker, number: signal.Signals):
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    when_ready(attempt, 2, lambda: os.kill(os.getpid(), number))
    with pytest.raises(Stopped) as caught, stop_on_signals():
        attempt.run(*marker.tree("setsid"))
    assert (caught.value.signum, str(caught.value)) == (number, f"stopped by {number.name}")
    assert marker.processes() == []
    after = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert after == before


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
