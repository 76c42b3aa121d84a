import pyarrow as pa
import pytest

from orchestration.connectors.dedup import Window, keys_of
from orchestration.connectors.errors import OptionsError


def admitted(window, *keys):
    return [window.admit(key, "a.csv") for key in keys]


def test_a_key_is_admitted_once():
    window = Window([(b"1", "z.csv")], max_keys=10)
    assert admitted(window, b"1", b"2", b"2", b"3") == [False, True, False, True]
    assert list(window.fresh) == [(b"2", "a.csv"), (b"3", "a.csv")]


def test_the_oldest_key_makes_room_for_a_new_one():
    window = Window([(b"1", None), (b"2", None)], max_keys=2)
    assert admitted(window, b"3", b"2", b"1", b"3") == [True, False, True, False]
    assert list(window.fresh) == [(b"3", "a.csv"), (b"1", "a.csv")]


def test_no_more_keys_are_kept_than_the_window_has():
    window = Window([], max_keys=2)
    admitted(window, *(bytes([number]) for number in range(10)))
    assert [key for key, _ in window.fresh] == [b"\x08", b"\x09"]


def test_files_that_bring_a_key_again_are_told_with_those_that_had_brought_it():
    window = Window([(b"1", "a.csv"), (b"2", None)], max_keys=10)
    brought = [(b"1", "b.csv"), (b"2", "b.csv"), (b"3", "b.csv"), (b"3", "b.csv")]
    for key, file in (*brought, (b"3", "c.csv"), (b"1", "c.csv"), (b"1", None)):
        window.admit(key, file)
    assert window.doubled == {"b.csv": {"a.csv"}, "c.csv": {"a.csv", "b.csv"}}


def test_keys_are_the_same_for_the_same_values_only():
    records = [{"a": 1, "b": "x"}, {"b": "x", "a": 1, "c": 5}, {"a": "1", "b": "x"}, {"a": 1}]
    first, second, third, fourth = keys_of(records, ["a", "b"])
    assert first == second != third
    assert fourth is None


def test_tables_have_the_keys_of_their_records():
    records = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    assert keys_of(pa.Table.from_pylist(records), ["a", "b"]) == keys_of(records, ["a", "b"])


def test_the_same_values_under_other_names_are_other_keys():
    (one,), (other,) = keys_of([{"a": 1, "b": 1}], ["a"]), keys_of([{"a": 1, "b": 1}], ["b"])
    assert one != other


@pytest.mark.parametrize("batch", [[{"a": 1}], pa.table({"a": [1]})])
def test_a_field_that_no_record_has_is_refused(batch):
    with pytest.raises(OptionsError) as caught:
        keys_of(batch, ["a", "B"])
    assert caught.value.reason == "`dedup.key` names `B`, which the records do not have"
