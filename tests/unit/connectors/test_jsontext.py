import json

import pytest

from orchestration.connectors.jsontext import parse_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b"\xef\xbb\xbf[]", []),
        (b"9223372036854775807", 2**63 - 1),
        (b"-9223372036854775807", -(2**63) + 1),
        (b"9223372036854775808", "9223372036854775808"),
        (b"[123456789012345678901234567890]", ["123456789012345678901234567890"]),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
    ],
)
def test_json_is_read_with_numbers_that_a_table_can_hold(text, value):
    assert parse_json(text) == value


@pytest.mark.parametrize("text", [b"{", b"NaN", b"[Infinity]", b'"\\ud83d"', b'"\xff"', b""])
def test_what_is_not_json_by_the_standard_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_python_alone_would_let_some_of_it_pass():
    assert json.loads('"\\ud83d"') == "\ud83d"
