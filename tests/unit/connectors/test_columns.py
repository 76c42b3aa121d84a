import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from orchestration.connectors.columns import Inference, conform, type_texts

UTC = dt.UTC


def texts(*values):
    return pa.table({"c": pa.array(values, pa.string())})


def infer(*chunks):
    inference = Inference(["c"])
    for chunk in chunks:
        inference.see(texts(*chunk))
    return inference.types()["c"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2", "0", None], "bigint"),
        (["9223372036854775807"], "bigint"),
        (["9223372036854775808"], "text"),
        (["007"], "text"),
        (["1", "1.5", "2e-3"], "double"),
        (["1.5", "1234567890123456789"], "text"),
        (["1,5"], "text"),
        (["true", "False", "TRUE"], "bool"),
        (["yes"], "text"),
        (["2024-02-29"], "date"),
        (["2023-02-29"], "text"),
        (["2024-01-31T10:20:30Z", "2024-01-31 10:20:30.5+02:00"], "timestamp"),
        (["2024-01-31 10:20"], "timestamp"),
        (["2024-01-31 10:20", "2024-01-31T10:20Z"], "text"),
        (["1", "x"], "text"),
        ([" 1"], "text"),
        ([None, None], "text"),
    ],
)
def test_a_column_gets_the_narrowest_type_that_keeps_every_value(values, kind):
    assert infer(values) == kind


def test_the_type_fits_the_values_of_all_chunks():
    assert infer(["1", "2"], [None], ["2.5"]) == "double"
    assert infer(["1", "2"], ["x"]) == "text"


def test_a_column_without_a_value_anywhere_is_a_text():
    assert infer([None], []) == "text"


@pytest.mark.parametrize(
    ("kind", "values", "typed"),
    [
        ("text", ["007"], ["007"]),
        ("bigint", ["1", None], [1, None]),
        ("double", ["1.5", "2"], [1.5, 2.0]),
        ("bool", ["TRUE", "false"], [True, False]),
        ("date", ["2024-02-29"], [dt.date(2024, 2, 29)]),
        (
            "timestamp",
            ["2024-01-31T12:00:00+02:00", None],
            [dt.datetime(2024, 1, 31, 10, tzinfo=UTC), None],
        ),
        ("timestamp", ["2024-01-31 12:00"], [dt.datetime(2024, 1, 31, 12, tzinfo=UTC)]),
    ],
)
def test_texts_become_values(kind, values, typed):
    table = type_texts(texts(*values), lambda _: kind)
    assert table.to_pydict() == {"c": typed}


def test_a_text_that_does_not_fit_moves_to_a_column_of_its_own():
    table = type_texts(texts("1", "n/a", None, "99999999999999999999"), lambda _: "bigint")
    assert table.to_pydict() == {
        "c": [1, None, None, None],
        "c__v_text": [None, "n/a", None, "99999999999999999999"],
    }


@pytest.mark.parametrize(
    ("column", "known", "expected"),
    [
        (pa.array([1, 2]), None, {"c": [1, 2]}),
        (pa.array([1, 2]), "bigint", {"c": [1, 2]}),
        (pa.array([1, 2]), "double", {"c": [1.0, 2.0]}),
        (pa.array([1.0, 2.0]), "bigint", {"c": [1, 2]}),
        (pa.array([1.5, 2.0]), "bigint", {"c__v_double": [1.5, 2.0]}),
        (pa.array([1, 2]), "text", {"c": ["1", "2"]}),
        (pa.array(["x"]), "bigint", {"c__v_text": ["x"]}),
        (pa.array([True]), "date", {"c__v_bool": [True]}),
        (pa.array([[1]]), "bigint", {"c__v_json": [[1]]}),
        (pa.array([[1]]), "json", {"c": [[1]]}),
        (pa.array([b"x"]), "text", {"c": ["x"]}),
        (pa.array([b"x"]), "bigint", {"c__v_binary": [b"x"]}),
        (pa.array([dt.time(1)]), "time", {"c": [dt.time(1)]}),
        (pa.array([Decimal("1.20")]), "decimal(3,2)", {"c": [Decimal("1.20")]}),
        (pa.array([Decimal("1.2")]), "decimal(3,2)", {"c": [Decimal("1.20")]}),
        (pa.array([Decimal("1.234")]), "decimal(3,2)", {"c__v_decimal": [Decimal("1.234")]}),
        (pa.array(["x", "x"]).dictionary_encode(), "text", {"c": ["x", "x"]}),
        (pa.array(["x"], pa.string_view()), "text", {"c": ["x"]}),
        (pa.array([1.5]), "time", {"c__v_double": [1.5]}),
    ],
)
def test_typed_columns_keep_the_type_that_the_table_has(column, known, expected):
    assert conform(pa.table({"c": column}), lambda _: known).to_pydict() == expected
