from datetime import timedelta

import pytest

from orchestration.domain.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("2h", timedelta(hours=2)),
        ("1h30m", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("0.5h", timedelta(minutes=30)),
        ("1d1s", timedelta(days=1, seconds=1)),
        ("3650d", timedelta(days=3650)),
    ],
)
def test_a_duration_is_numbers_with_units(text, duration):
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "5", "h", "1 h", "1h 30m", "-1h", "1.h", ".5h", "1w", "1H", "1h30", "\u0661h30m\n"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError) as caught:
        parse_duration(text)
    assert str(caught.value) == ("a duration is written like `90s`, `15m`, `2h`, `1h30m` or `7d`")


@pytest.mark.parametrize("text", ["0s", "0h0m", "3650d1s", "9" * 400 + "s"])
def test_a_duration_is_neither_zero_nor_endless(text):
    with pytest.raises(ValueError) as caught:
        parse_duration(text)
    assert str(caught.value) == "a duration is longer than zero and at most `3650d`"


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(seconds=0.25), "0.25s"),
        (timedelta(seconds=45), "45s"),
        (timedelta(seconds=59.9996), "60s"),
        (timedelta(minutes=1), "1m"),
        (timedelta(seconds=3601), "1h1s"),
        (timedelta(days=2, hours=3, minutes=4, seconds=5), "2d3h4m5s"),
    ],
)
def test_a_duration_is_shown_in_the_fewest_units(duration, text):
    assert format_duration(duration) == text
