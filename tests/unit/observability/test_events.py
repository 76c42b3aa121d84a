import json

import pytest

from orchestration.domain.events import EVENT_TYPES, ConnectorEvent
from orchestration.observability import parse_event


@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
def test_each_known_type_is_an_event(event_type: str):
    line = json.dumps({"event_type": event_type, "rows": 1})
    assert parse_event(line) == ConnectorEvent(event_type=event_type, fields={"rows": 1})


def test_values_keep_their_kinds():
    fields = {
        "count": 12,
        "big": 2**63,
        "share": 0.5,
        "exact": 3.0,
        "ok": True,
        "nothing": None,
        "text": "ä\n",
        "list": [1, "2"],
        "map": {"a": {"b": None}},
    }
    event = parse_event(json.dumps({"event_type": "metrics_complete", **fields}))
    assert event is not None
    assert repr(event.fields) == repr(fields)


def test_blanks_around_an_event_do_not_matter():
    assert parse_event('  {"event_type": "metrics_api"}\t\r') == ConnectorEvent(
        event_type="metrics_api", fields={}
    )


def test_numbers_that_json_does_not_have_become_null():
    line = '{"event_type": "metrics_complete", "a": NaN, "b": -Infinity}'
    assert parse_event(line) == ConnectorEvent(
        event_type="metrics_complete", fields={"a": None, "b": None}
    )


@pytest.mark.parametrize(
    "line",
    [
        "",
        "loaded 3 rows",
        "{not json}",
        '{"event_type": "metrics_complete"',
        '{"event_type": "metrics_complete"} and more',
        '{"event_type": "metrics_unheard_of"}',
        '{"event_type": 3}',
        '{"event_type": ["metrics_complete"]}',
        '{"message": "event_type"}',
        '[{"event_type": "metrics_complete"}]',
        '"event_type"',
        'x {"event_type": "metrics_complete"}',
        '{"event_type": "metrics_complete", "deep": ' + "[" * 100_000,
        '{"event_type": "metrics_complete", "n": ' + "1" * 10_000 + "}",
    ],
)
def test_anything_else_is_free_text(line: str):
    assert parse_event(line) is None
