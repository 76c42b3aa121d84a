import pytest

from orchestration.config.scalars import Trap, read_plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, None) for text in ("", "~", "null", "Null", "NULL")),
        *((text, True) for text in ("true", "True", "TRUE")),
        *((text, False) for text in ("false", "False", "FALSE")),
        ("0", 0),
        ("-12", -12),
        ("+7", 7),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("-.5", -0.5),
        ("5.", 5.0),
        ("1.5e+3", 1500.0),
        ("07", 7),
        *((text, text) for text in ("orders", "02:30", "1.2.3", "12ab", "-", "...", "=", "<<")),
        *((text, text) for text in ("y", "n", "nan", "inf", "yess", "only", "0b", "2024-1-1")),
    ],
)
def test_a_scalar_that_all_readers_agree_on_has_its_value(text, value):
    found, trap = read_plain(text)
    assert (found, type(found), trap) == (value, type(value), None)


@pytest.mark.parametrize(
    ("text", "value", "code", "first", "second"),
    [
        ("yes", True, "ORC009", "true", "text"),
        ("OFF", False, "ORC009", "false", "text"),
        ("010", 8, "ORC010", "8", "10"),
        ("-010", -8, "ORC010", "-8", "-10"),
        ("09", 9, "ORC010", "text", "9"),
        ("1:30", 90, "ORC010", "90", "text"),
        ("-1:30:00", -5400, "ORC010", "-5400", "text"),
        ("1:30.5", 90.5, "ORC010", "90.5", "text"),
        ("1_000", 1000, "ORC010", "1000", "text"),
        ("0_7", 7, "ORC010", "7", "text"),
        ("1_0.5", 10.5, "ORC010", "10.5", "text"),
        ("0b101", 5, "ORC010", "5", "text"),
        ("0o17", 15, "ORC010", "text", "15"),
        ("1e3", 1000.0, "ORC010", "text", "1000"),
        ("2024-01-31", "2024-01-31", "ORC011", "a date", "text"),
        ("2024-1-1 1:00:00", "2024-1-1 1:00:00", "ORC011", "a date", "text"),
        (".inf", 0, "ORC020", "", ""),
        ("-.INF", 0, "ORC020", "", ""),
        (".nan", 0, "ORC020", "", ""),
        ("1e999", 0, "ORC020", "", ""),
        ("1.0e+999", 0, "ORC020", "", ""),
        ("9" * 5000, 0, "ORC020", "", ""),
    ],
)
def test_a_scalar_that_readers_disagree_on_is_a_trap(text, value, code, first, second):
    found, trap = read_plain(text)
    assert isinstance(trap, Trap)
    assert (found, type(found)) == (value, type(value))
    assert (trap.rule.code, trap.first, trap.second) == (code, first, second)
