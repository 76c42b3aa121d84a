from collections import Counter
from datetime import timedelta

import pytest

from orchestration.domain.spread import choose_offset

TEN_MINUTES = timedelta(minutes=10)


def test_the_offset_of_a_name_never_changes():
    names = ("orders", "globex-countries", "größe")
    offsets = [choose_offset(name, TEN_MINUTES) // timedelta(minutes=1) for name in names]
    assert offsets == [5, 3, 6]


def test_many_names_are_spread_evenly_over_the_whole_minutes():
    chosen = Counter(choose_offset(f"job-{number}", TEN_MINUTES) for number in range(1_000))
    assert set(chosen) == {timedelta(minutes=minute) for minute in range(10)}
    assert min(chosen.values()) > 60


def test_a_spread_of_one_minute_moves_nothing():
    assert choose_offset("orders", timedelta(seconds=119)) == timedelta(0)


def test_a_spread_below_a_minute_is_refused():
    with pytest.raises(ValueError) as caught:
        choose_offset("orders", timedelta(seconds=59))
    assert str(caught.value) == "a spread is at least one minute"
