"""Retries that are counted for all jobs of a tenant with one connector."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestration.domain.budget import SpentRetries
from orchestration.domain.retry import RetryBudget

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
TWO_AN_HOUR = RetryBudget(retries=2, per=timedelta(hours=1))
THREE_A_DAY = RetryBudget(retries=3, per=timedelta(days=1))


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def spend(budget, *minutes, before=None) -> SpentRetries:
    spent = before or SpentRetries()
    for minute in minutes:
        spent = spent.spend(budget, at(minute)) or pytest.fail(f"refused at {minute}")
    return spent


def test_no_more_than_the_budget_are_spent_in_its_time():
    spent = spend(TWO_AN_HOUR, 0, 30)

    assert spent.spend(TWO_AN_HOUR, at(59.99)) is None
    assert spent.spend(TWO_AN_HOUR, at(60)) == SpentRetries(
        at=(at(0), at(30), at(60)), most=2, longest=timedelta(hours=1)
    )


def test_each_job_counts_the_retries_of_all_against_its_own_budget():
    spent = spend(TWO_AN_HOUR, 0, 1)

    assert spent.spend(TWO_AN_HOUR, at(2)) is None
    spent = spend(THREE_A_DAY, 2, before=spent)
    assert spent.spend(THREE_A_DAY, at(3)) is None
    assert spent.spend(TWO_AN_HOUR, at(3)) is None


def test_a_short_budget_does_not_forget_what_a_longer_one_counts():
    spent = spend(TWO_AN_HOUR, 120, 240, before=spend(THREE_A_DAY, 0))

    assert spent.spend(THREE_A_DAY, at(241)) is None
    assert spent.at == (at(0), at(120), at(240))


def test_what_no_budget_counts_any_more_is_dropped():
    spent = spend(TWO_AN_HOUR, *range(0, 10_000, 40))

    assert spent.at == tuple(map(at, range(8560, 10_000, 40)))


def test_no_more_are_kept_than_the_largest_budget_allows_or_two_hundred():
    many = RetryBudget(retries=300, per=timedelta(hours=1))
    few = spend(RetryBudget(retries=2, per=timedelta(minutes=1)), *range(0, 1000, 2))
    spent = spend(many, *(1100 + n / 100 for n in range(300)), before=few)

    assert few.at == tuple(map(at, range(600, 1000, 2)))
    assert len(spent.at) == 300
    assert spent.spend(many, at(1104)) is None


def test_a_longer_budget_counts_what_was_spent_before_it_asked():
    spent = spend(TWO_AN_HOUR, 0, 61, 122)

    assert spent.spend(THREE_A_DAY, at(180)) is None


def test_it_is_read_as_it_was_written():
    spent = spend(THREE_A_DAY, 0, 1.5)

    assert SpentRetries.from_json(spent.to_json()) == spent


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"at": 3, "most": 1, "longest_seconds": 1},
        {"at": [], "most": 1},
    ],
)
def test_what_is_no_record_of_retries_is_refused(value):
    with pytest.raises(ValueError, match=r"these are no retries: \{"):
        SpentRetries.from_json(value)


def test_an_instant_without_an_offset_is_refused():
    value = {"at": ["2026-01-01T00:00:00"], "most": 1, "longest_seconds": 1}

    with pytest.raises(ValueError, match="this instant has no offset: 2026-01-01T00:00:00"):
        SpentRetries.from_json(value)
