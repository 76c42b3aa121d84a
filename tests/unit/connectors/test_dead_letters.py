import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.connectors.dead_letters import (
    Form,
    Letter,
    Spool,
    decode_record,
    encode_record,
    key_of,
)
from orchestration.domain.records import Stage

NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)


def letter(record, **changes):
    fields = {
        "id": "1",
        "stage": Stage.VALIDATE,
        "reason": "bad",
        "run_id": "r1",
        "attempt": 1,
        "file": None,
        "position": 1,
        "first_seen": NOON,
        "last_seen": NOON,
        "failures": 1,
        "record": record,
        **changes,
    }
    return Letter(**fields)


RECORDS = [
    {"id": 1, "name": "ä", "share": 0.1, "on": True, "none": None, "tags": ["a", {"b": 1}]},
    {"at": NOON, "day": dt.date(2026, 1, 31), "time": dt.time(12, 30)},
    {"price": Decimal("1.50"), "raw": b"\x00\xff", "most": float("inf")},
]


@pytest.mark.parametrize("record", RECORDS, ids=["JSON", "times", "others"])
def test_a_record_comes_back_with_its_types(record):
    text, types = encode_record(record)
    json.loads(text)
    assert decode_record(letter(text, types=types)) == record


def test_records_are_readable_as_they_stand():
    text, types = encode_record({"at": NOON, "price": Decimal("1.50"), "name": "ä"})
    assert text == '{"at": "2026-01-31T12:00:00+00:00", "price": "1.50", "name": "ä"}'
    assert types == {"at": "timestamp", "price": "decimal"}


def test_halves_of_characters_are_escaped():
    assert encode_record({"name": "\udcff"})[0] == r'{"name": "\udcff"}'


def test_a_letter_without_an_object_is_no_record():
    with pytest.raises(ValueError, match="not an object"):
        Form(()).take(letter('"raw"'))


def test_the_column_of_the_file_is_no_part_of_a_record():
    assert Form(()).put({"id": 1, "_source_file": "a.csv"}) == {"id": 1}


def test_the_same_records_have_the_same_names_in_each_run():
    first, second = (Spool(Path("nowhere")) for _ in range(2))
    named = [("a.csv", "x"), ("a.csv", "x"), ("b.csv", "x"), (None, "x"), ("a.csv", "y")]
    names = [first.name(*one) for one in named]
    assert len(set(names)) == len(names)
    assert [second.name(*one) for one in reversed(named)] == [
        names[4],
        names[3],
        names[2],
        names[0],  # which of those that are alike comes first makes no difference
        names[1],
    ]


@pytest.mark.parametrize(
    ("record", "keys", "key"),
    [
        ({"a": 1, "b": "x"}, ("b", "a"), ["x", "1"]),
        ({"a": 1}, (), None),
        ({"a": 1}, ("a", "b"), None),
        ({"a": 1.5, "b": True}, ("a", "b"), ["1.5", "True"]),
        ({"a": Decimal("1.50"), "b": NOON}, ("a", "b"), ["1.50", "2026-01-31T12:00:00+00:00"]),
        ({"a": dt.date(2026, 1, 31), "b": b"'\x00"}, ("a", "b"), ["2026-01-31", r"\x27\x00"]),
    ],
)
def test_a_key_is_made_of_texts_that_a_database_can_read(record, keys, key):
    assert key_of(record, keys) == key
