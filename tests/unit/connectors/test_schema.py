import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from orchestration.connectors.schema import Checker, accepts_column
from orchestration.domain.records import RecordField

UTC_NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
NOON = dt.time(12)
DAY = dt.date(2026, 1, 31)
# What each type takes and refuses of records that know types.
VALUES = {
    "string": (["", "a", "5"], [5, True, 1.5, b"a", ["a"], {"a": 1}, DAY]),
    "integer": ([0, -5, 2**63 - 1, 3.0], ["5", 1.5, True, 2.0**63, "9" * 20, []]),
    "number": ([0, 1.5, Decimal("1.5")], ["1.5", True, {}]),
    "boolean": ([True, False, 0, 1], [2, "true", 1.0]),
    "date": ([DAY, "2026-01-31"], ["2026-02-30", "31.1.2026", "2026-1-1", UTC_NOON, 20260131]),
    "timestamp": (
        [
            UTC_NOON,
            "2026-01-31T12:00:00Z",
            "2026-01-31 12:00",
            "2026-01-31T12:00:00.123456+01:00",
            "2026-01-31T12:00:00+0100",
        ],
        ["2026-01-31", "2026-01-31T25:00:00", "noon", 1700000000, DAY],
    ),
    "time": ([NOON, "12:00", "12:00:00.5"], ["25:00", "noon", 12, UTC_NOON]),
    "binary": ([b"", b"\xff", "aGVsbG8="], ["hello!", 5]),
    "object": ([{}, {"a": [1]}], [[], "{}", 5]),
    "array": ([[], [1, "a"]], [{}, "[]", 5]),
}
# What each type takes and refuses of texts, where a source has nothing else.
TEXTS = {
    "string": (["a", "5"], []),
    "integer": (["0", "-5"], ["007", "1.5", "a", "9" * 20]),
    "number": (["0", "1.5", "1e5"], ["a", "01.5", "1,5"]),
    "boolean": (["true", "FALSE"], ["yes", "1"]),
    "date": (["2026-01-31"], ["2026-02-30", "soon"]),
    "timestamp": (["2026-01-31T12:00", "2026-01-31 12:00:00Z"], ["2026-01-31"]),
    "time": (["12:00"], ["noon"]),
    "binary": (["aGVsbG8="], ["hello!"]),
    "object": (['{"a": 1}'], ["[1]", "{a: 1}", "a"]),
    "array": (["[1]"], ["{}", "a"]),
}


def field(kind, **changes):
    return RecordField(name="x", type=kind, **changes)


def refused(checker, values):
    faults = checker.check_records([{"x": value} for value in values])
    return [values[index] for index in sorted(faults)]


@pytest.mark.parametrize("kind", VALUES)
def test_a_type_takes_its_values_and_no_others(kind):
    good, bad = VALUES[kind]
    assert refused(Checker([field(kind)]), [*good, *bad, None]) == bad


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_are_judged_by_what_they_say(kind):
    good, bad = TEXTS[kind]
    checker = Checker([field(kind)], from_text=True)
    table = pa.table({"x__v_text": [*good, *bad, None]})
    assert sorted(checker.check_table(table)) == list(range(len(good), len(good) + len(bad)))


def test_a_field_that_is_not_required_may_be_null_or_missing():
    checker = Checker([field("integer")])
    assert checker.check_records([{"x": None}, {}, {"y": "other fields are free"}]) == {}


def test_reasons_name_fields_and_types_and_no_values():
    fields = [
        RecordField(name="id", type="integer", required=True),
        RecordField(name="day", type="date"),
        RecordField(name="tags", type="array"),
    ]
    records = [
        {"id": 1},
        {"id": "secret", "day": "secret", "tags": {}},
        {"day": 5, "tags": "secret"},
        {"id": True},
    ]
    assert Checker(fields).check_records(records) == {
        1: [
            "`id` is a string, not an integer",
            "`day` is not a date",
            "`tags` is an object, not an array",
        ],
        2: [
            "`id` has no value",
            "`day` is an integer, not a date",
            "`tags` is a string, not an array",
        ],
        3: ["`id` is a boolean, not an integer"],
    }


TABLES = {
    "string": pa.array(["a"]).dictionary_encode(),
    "integer": pa.array([7], pa.int16()),
    "number": pa.array([Decimal("1.5")], pa.decimal128(5, 2)),
    "boolean": pa.array([True]),
    "date": pa.array([DAY], pa.date32()),
    "timestamp": pa.array([UTC_NOON], pa.timestamp("ns", tz="UTC")),
    "time": pa.array([NOON], pa.time64("us")),
    "binary": pa.array([b"ab"], pa.binary(2)),
    "object": pa.array([{"a": 1}]),
    "array": pa.array([[1]]),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_column_of_its_type_fits_a_field_and_those_of_others_do_not(kind):
    also = {"number": {"integer"}, "timestamp": set(), "object": set()}.get(kind, set())
    fitting = {
        other
        for other, column in TABLES.items()
        if Checker([field(kind)]).check_table(pa.table({"x": column})) == {}
    }
    assert fitting == {kind} | also


def test_nulls_of_a_required_column_are_found():
    table = pa.table({"x": pa.array([1, None, 3, None])})
    assert Checker([field("integer", required=True)]).check_table(table) == {
        1: ["`x` has no value"],
        3: ["`x` has no value"],
    }
    assert Checker([field("integer")]).check_table(table) == {}
    assert list(
        Checker([field("integer", required=True)]).check_table(pa.table({"y": [1, 2]}))
    ) == [
        0,
        1,
    ]


def test_values_that_moved_aside_count_as_those_of_the_field():
    table = pa.table({"x": [1, None, None], "x__v_text": [None, "a", None]})
    assert Checker([field("integer", required=True)], from_text=True).check_table(table) == {
        1: ["`x` is not an integer"],
        2: ["`x` has no value"],
    }


@pytest.mark.parametrize(
    ("kind", "column", "accepted"),
    [
        ("integer", "bigint", True),
        ("integer", "double", False),
        ("number", "bigint", True),
        ("number", "decimal(10,2)", True),
        ("number", "text", False),
        ("string", "text", True),
        ("string", "bigint", False),
        ("date", "text", True),
        ("object", "json", True),
        ("time", "text", True),
        ("binary", "binary", True),
    ],
)
def test_a_column_is_accepted_if_it_holds_what_the_field_allows(kind, column, accepted):
    assert accepts_column(field(kind), column) is accepted
