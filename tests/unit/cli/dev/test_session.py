from pathlib import Path

import click
import pytest

from orchestration.cli.dev.screen import Event
from orchestration.cli.dev.session import Session
from orchestration.cli.dev.signals import Stopped, StopRequests


@pytest.fixture
def told():
    return []


@pytest.fixture
def session(told):
    session = Session(logs=Path("/srv/logs"), environ={}, requests=StopRequests(), echo=told.append)
    yield session
    assert session.stop() == []


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
