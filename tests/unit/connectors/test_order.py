import json
from datetime import timedelta
from pathlib import Path

import pytest

from orchestration.connectors.errors import OrderError
from orchestration.connectors.order import Order, parse_order
from orchestration.domain.job import ConnectorEnd
from orchestration.domain.records import (
    AssetSchema,
    Dedup,
    LetterFilter,
    RecordField,
    Replay,
    Stage,
    Validation,
    dedup_to_json,
    replay_to_json,
    schema_to_json,
)

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


RULES = {
    "schema": AssetSchema(
        fields=(
            RecordField(name="iata", type="string", required=True, description="its code"),
            RecordField(name="opened", type="date"),
        ),
        validation=Validation.WARN,
        file="assets/airports.yaml",
    ),
    "dedup": Dedup(key=("iata",), within=timedelta(minutes=90), max_keys=5),
    "replay": Replay(
        wanted=LetterFilter(id="6f1d", run="r1", stage=Stage.READ, limit=10), dry_run=True
    ),
}


def test_what_records_are_held_to_comes_through_unchanged():
    rules = {
        "schema": schema_to_json(RULES["schema"]),
        "dedup": dedup_to_json(RULES["dedup"]),
        "replay": replay_to_json(RULES["replay"]),
    }
    order = parse_order(json.dumps({**ORDER, **rules}))
    assert {name: getattr(order, name) for name in RULES} == RULES


def test_a_job_without_such_rules_has_none():
    order = parse_order(json.dumps(ORDER))
    assert (order.schema, order.dedup, order.replay) == (None, None, None)


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
