import pytest

from orchestration.config import field_rules
from orchestration.config.build import MAX_DEPTH
from orchestration.config.files import MAX_BYTES
from orchestration.config.parse import parse
from orchestration.domain.problem import Location


def read(text):
    return parse(text.encode(), file="x.yaml")


def codes(document):
    return [problem.code for problem in document.problems]


def test_values_have_the_types_that_they_are_written_with():
    document = read("a: 1\nb: '1'\nc: [x, 1.5, true, ~]\nd:\n  e: |\n    two\n    lines\n")
    assert document.data == {
        "a": 1,
        "b": "1",
        "c": ["x", 1.5, True, None],
        "d": {"e": "two\nlines\n"},
    }
    assert document.complete


TEXT = """\
first: one
list:
  - a
  - key: "quoted"
empty:
block: |
  text
"""


@pytest.mark.parametrize(
    ("place", "on", "line", "column", "length"),
    [
        (("first",), "key", 1, 1, 5),
        (("first",), "value", 1, 8, 3),
        (("list",), "value", 2, 1, 4),
        (("list", 0), "value", 3, 5, 1),
        (("list", 1), "value", 4, 5, 1),
        (("list", 1, "key"), "key", 4, 5, 3),
        (("list", 1, "key"), "value", 4, 10, 8),
        (("empty",), "value", 5, 1, 5),
        (("block",), "value", 6, 8, 1),
        (("list", 9, "nothing"), "value", 2, 1, 4),
        ((), "value", 1, 1, 1),
    ],
)
def test_every_key_and_value_knows_its_place(place, on, line, column, length):
    expected = Location(file="x.yaml", line=line, column=column, length=length)
    assert read(TEXT).locate(place, on=on) == expected


def test_a_byte_order_mark_and_windows_line_ends_do_not_move_places():
    document = parse(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", file="x.yaml")
    assert document.data == {"a": 1, "b": 2}
    assert document.locate(("b",)) == Location(file="x.yaml", line=2, column=4, length=1)


def test_columns_count_characters_not_bytes():
    document = read("a: {ü: x, b: y}\n")
    assert document.locate(("a", "b")) == Location(file="x.yaml", line=1, column=14, length=1)


def test_aliases_repeat_values_and_merge_keys_take_keys_over():
    document = read(
        "base: &base {a: 1, b: {c: 2}}\nother: &other {b: 3, d: 4}\n"
        "same: *base\nmerged: {<<: *base, a: 5}\nboth: {<<: [*base, *other]}\n'<<': text\n"
    )
    assert codes(document) == []
    assert document.data["same"] == {"a": 1, "b": {"c": 2}}
    assert document.data["merged"] == {"a": 5, "b": {"c": 2}}
    assert document.data["both"] == {"a": 1, "b": {"c": 2}, "d": 4}
    assert document.data["<<"] == "text"
    assert document.locate(("merged", "b", "c")).column == 27


def test_all_duplicates_and_traps_of_a_file_are_reported_at_once():
    document = read("a: yes\nb: 010\na: no\non: 1\n")
    assert sorted(codes(document)) == ["ORC008", "ORC009", "ORC009", "ORC010", "ORC021"]
    assert document.complete


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{a: " * 100_000, "a:\n" + "- " * 500_000, "? " * 100_000]
)
def test_a_file_of_brackets_is_refused_and_does_not_end_the_process(text):
    assert codes(read(f"a: {text}")) in (["ORC017"], ["ORC005"], ["ORC018"])
    assert not read(text).complete


def test_values_may_be_nested_up_to_the_limit():
    inside = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert read(f"a: {inside}").complete
    assert codes(read(f"a: [{inside}]")) == ["ORC017"]


def test_aliases_do_not_nest_deeper_than_the_limit():
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, MAX_DEPTH + 5)]
    assert codes(read("\n".join(lines))) == ["ORC017"]


def test_aliases_that_multiply_are_stopped_early():
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{f'*a{n - 1},' * 9}]" for n in range(1, 20)]
    assert codes(read("\n".join(lines))) == ["ORC014"]


def test_many_aliases_of_a_small_value_are_fine():
    document = read("tags: &tags {a: 1, b: 2}\nall:\n" + "- *tags\n" * 2000)
    assert document.complete
    assert document.data["all"] == [{"a": 1, "b": 2}] * 2000


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: &a [*a]", "ORC015"),
        ("a: &a 1\nb: &a [*a]", "ORC015"),
        ("a: *b", "ORC016"),
        ("a: &a 1\n---\nb: *a", "ORC007"),
        ("{a: 1}: 2", "ORC018"),
        ("[a]: 2", "ORC018"),
        ("", "ORC004"),
        ("text", "ORC019"),
        ("- a", "ORC019"),
    ],
)
def test_what_makes_no_sense_stops_the_reading(text, code):
    document = read(text)
    assert codes(document) == [code]
    assert not document.complete


def test_what_stands_before_an_error_can_still_be_read():
    document = read("tenant_id: acme\nasset: orders\ncommand: [\n")
    assert codes(document) == ["ORC005"]
    assert document.data == {"tenant_id": "acme", "asset": "orders"}


def test_a_file_that_is_too_large_is_not_read():
    document = parse(b"a: 1\n" + b"#" * MAX_BYTES, file="x.yaml")
    assert codes(document) == ["ORC003"]
    assert document.data == {}


def test_one_value_has_one_settling_problem_and_no_other():
    document = read("a: yes\n")
    document.report(field_rules.NO_VALUE, ("a",), field="a")
    assert codes(document) == ["ORC009"]
