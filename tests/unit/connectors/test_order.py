import json
from pathlib import Path

import pytest

from orchestration.connectors.errors import OrderError
from orchestration.connectors.order import Order, parse_order
from orchestration.domain.job import ConnectorEnd

ORDER = {
    "job": "acme/airports",
    "tenant": "acme",
    "name": "airports",
    "asset": "airports",
    "run_id": "b2c1",
    "attempt": 2,
    "full_refresh": True,
    "source": {"connector": "csv", "options": {"path": "a.csv"}},
    "target": {"connector": "duckdb", "options": {"path": "w.duckdb"}},
    "working_directory": "/work",
    "state_directory": "/work/.orchestrate/connectors/acme/airports",
}


def test_an_order_is_read_field_by_field():
    assert parse_order(json.dumps(ORDER)) == Order(
        job="acme/airports",
        tenant="acme",
        name="airports",
        asset="airports",
        run_id="b2c1",
        attempt=2,
        full_refresh=True,
        source=ConnectorEnd(connector="csv", options={"path": "a.csv"}),
        target=ConnectorEnd(connector="duckdb", options={"path": "w.duckdb"}),
        working_directory=Path("/work"),
        state_directory=Path("/work/.orchestrate/connectors/acme/airports"),
    )


def test_options_and_full_refresh_may_be_left_out():
    short = {key: value for key, value in ORDER.items() if key != "full_refresh"}
    order = parse_order(json.dumps({**short, "source": {"connector": "csv"}}))
    assert (order.full_refresh, order.source.options) == (False, {})


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
        ("[]", "TypeError: list indices must be integers or slices, not str"),
        ("{}", "KeyError: 'job'"),
        (json.dumps({**ORDER, "tenant": 5}), "ValueError: `tenant` is not a text"),
        (json.dumps({**ORDER, "tenant": ""}), "ValueError: `tenant` is not a text"),
        (json.dumps({**ORDER, "source": "csv"}), "TypeError: string indices must be integers, "),
    ],
    ids=["empty", "list", "without fields", "number", "no text", "source without options"],
)
def test_what_is_no_order_is_named(text, cause):
    with pytest.raises(OrderError) as caught:
        parse_order(text)
    assert str(caught.value).startswith(
        f"error ORC614: stdin holds no order for a connector ({cause}"
    )
    assert (
        caught.value.help == "start connector jobs with `orchestrate run`, which writes the order"
    )
