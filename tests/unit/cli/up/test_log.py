import json
from datetime import UTC, datetime

import click
import pytest

from orchestration.cli.dev.screen import Event
from orchestration.cli.up.log import json_line, text_line

AT = datetime(2026, 1, 31, 12, 0, 3, 250_000, tzinfo=UTC)


def test_an_event_is_one_line_without_colours():
    text = click.style("acme/orders", fg="red") + ", 3 rows\nhttp://localhost:3000/runs/r1"

    assert text_line(AT, Event(kind="failed", text=text)) == (
        "2026-01-31T12:00:03+00:00 failed acme/orders, 3 rows http://localhost:3000/runs/r1"
    )


@pytest.mark.parametrize(
    ("kind", "event_type", "level"),
    [
        ("reloaded", "reloaded", "INFO"),
        ("ended", "ended", "WARNING"),
        ("failed", "failed", "ERROR"),
        ("", "problem", "WARNING"),
    ],
)
def test_as_json_an_event_has_the_form_of_the_logs_of_runs(kind, event_type, level):
    assert json.loads(json_line(AT, Event(kind=kind, text="one\ntwo"))) == {
        "event_type": event_type,
        "level": level,
        "timestamp": "2026-01-31T12:00:03.250+00:00",
        "text": "one two",
    }
