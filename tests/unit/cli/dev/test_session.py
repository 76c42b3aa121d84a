from dataclasses import replace
from pathlib import Path

import click
import pytest

from orchestration.cli.dev.screen import Event
from orchestration.cli.dev.session import Session, Stopped, StopRequests, watch_runs
from orchestration.cli.dev.ui import FinishedRun, UiUnreachableError

URL = "http://localhost:3000"
FIRST = FinishedRun(run_id="r1", subject="acme/orders", outcome="succeeded", updated_at=2e9)
SECOND = replace(FIRST, run_id="r2", subject="globex/orders", updated_at=2e9 + 1)


class FakeUi:
    """Answers each question about runs with the next of its answers; None is no answer."""

    def __init__(self, *answers):
        self.since = []
        self.answers = list(answers)

    def finished_runs(self, since):
        self.since.append(since)
        answer = self.answers.pop(0)
        if answer is None:
            raise UiUnreachableError("busy")
        return answer


class UntilAnswered:
    """A stop that comes when the UI has no more answers, and waits for nothing."""

    def __init__(self, ui):
        self._ui = ui

    def wait(self, _timeout):
        return not self._ui.answers


@pytest.fixture
def told():
    return []


@pytest.fixture
def session(told):
    session = Session(logs=Path("/srv/logs"), environ={}, requests=StopRequests(), echo=told.append)
    yield session
    assert session.stop() == []


def test_each_run_that_ends_is_told_once_also_when_the_ui_is_busy():
    ui = FakeUi([], [FIRST], None, [FIRST, SECOND], [SECOND])

    events = list(watch_runs(ui, URL, UntilAnswered(ui)))

    assert events == [
        Event(kind="succeeded", text="acme/orders"),
        Event(kind="succeeded", text="globex/orders"),
    ]
    assert ui.since[2:] == [2e9, 2e9, 2e9 + 1]


def test_what_a_thread_has_to_tell_is_told(session, told):
    session.in_background(lambda _stop: [Event(text="one"), Event(text="two")])

    session.wait_until(lambda: len(told) == 2, what="both")

    assert [click.unstyle(text) for text in told] == ["one", "two"]


def test_a_bug_in_a_thread_is_no_secret(session):
    def fail(_stop):
        yield Event(text="one")
        raise ZeroDivisionError("a bug")

    session.in_background(fail)

    with pytest.raises(ZeroDivisionError, match="a bug"):
        session.run()


def test_a_request_to_stop_ends_the_session(told):
    requests = StopRequests()
    session = Session(logs=Path("/srv/logs"), environ={}, requests=requests, echo=told.append)
    requests.number += 1

    with pytest.raises(Stopped):
        session.run()
