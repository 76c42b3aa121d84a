"""The breaker as a value: what each event makes of it, and how it says so."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestration.domain.breaker import CLOSED, Breaker, BreakerPolicy, BreakerState, Probe

POLICY = BreakerPolicy(failures=3, within=timedelta(minutes=10), open_for=timedelta(minutes=15))
START = datetime(2026, 6, 1, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def after_failures(*minutes: float) -> Breaker:
    breaker = CLOSED
    for minute in minutes:
        breaker = breaker.record_failure(POLICY, at(minute))
    return breaker


OPEN = Breaker(failures=(at(0), at(1), at(2)), opened=at(2))
PROBED = Breaker(failures=OPEN.failures, opened=at(2), probe=Probe(claimant="a", since=at(17)))


@pytest.mark.parametrize(
    ("failures", "state", "counted"),
    [
        ((), BreakerState.CLOSED, 0),
        ((0, 1), BreakerState.CLOSED, 2),
        ((0, 1, 2), BreakerState.OPEN, 3),
        ((0, 5, 10), BreakerState.OPEN, 3),
        ((0, 5, 10.01), BreakerState.CLOSED, 2),
        ((0, 5, 10.01, 11), BreakerState.OPEN, 3),
        ((2, 0, 1), BreakerState.OPEN, 3),  # the clocks of two machines differ
        ((0, 1, 2, 3, 4), BreakerState.OPEN, 3),
    ],
)
def test_it_opens_at_as_many_failures_within_the_window_as_the_policy_says(
    failures, state, counted
):
    breaker = after_failures(*failures)
    now = at(max(failures, default=0))

    assert (breaker.state(POLICY, now), breaker.count(POLICY, now)) == (state, counted)


def test_one_failure_may_be_enough():
    policy = BreakerPolicy(failures=1)

    assert CLOSED.record_failure(policy, at(0)) == Breaker(failures=(at(0),), opened=at(0))


def test_failures_that_are_too_old_are_dropped():
    assert after_failures(0, 5, 12) == Breaker(failures=(at(5), at(12)))
    assert Breaker(failures=(at(0), at(5))).count(POLICY, at(12)) == 1


@pytest.mark.parametrize(
    ("minute", "state"),
    [
        (2, BreakerState.OPEN),
        (16.99, BreakerState.OPEN),
        (17, BreakerState.HALF_OPEN),
        (500, BreakerState.HALF_OPEN),
    ],
)
def test_it_is_half_open_when_it_has_been_open_for_so_long(minute, state):
    assert OPEN.state(POLICY, at(minute)) is state


def test_a_failure_while_it_is_open_puts_the_probe_off_no_further():
    assert OPEN.record_failure(POLICY, at(9)) == Breaker(
        failures=(at(1), at(2), at(9)), opened=at(2)
    )


@pytest.mark.parametrize("breaker", [OPEN, PROBED])
def test_a_failure_while_it_is_half_open_opens_it_again(breaker):
    assert breaker.record_failure(POLICY, at(18)) == Breaker(
        failures=(at(1), at(2), at(18)), opened=at(18)
    )


@pytest.mark.parametrize("breaker", [OPEN, PROBED])
@pytest.mark.parametrize(("began", "opens"), [(1.99, False), (2, True), (16, True), (17.5, True)])
def test_what_began_before_it_opened_says_nothing_of_the_source_as_it_is_now(breaker, began, opens):
    after = breaker.record_failure(POLICY, at(18), at(began))

    assert after.failures == (at(1), at(2), at(18))
    assert (after.opened, after.probe) == ((at(18), None) if opens else (at(2), breaker.probe))


@pytest.mark.parametrize(
    ("before", "claimant", "minute", "after"),
    [
        (CLOSED, "a", 0, CLOSED),
        (OPEN, "a", 2, None),
        (OPEN, "a", 16.99, None),
        (OPEN, "a", 17, PROBED),
        (PROBED, "a", 17, PROBED),
        (PROBED, "a", 31, PROBED),
        (PROBED, "b", 17, None),
        (PROBED, "b", 31.99, None),
        (
            PROBED,
            "b",
            32,
            Breaker(failures=OPEN.failures, opened=at(2), probe=Probe(claimant="b", since=at(32))),
        ),
    ],
)
def test_one_run_is_let_through_and_another_when_nothing_was_heard_of_it(
    before, claimant, minute, after
):
    assert before.admit(POLICY, claimant, at(minute)) == after


@pytest.mark.parametrize(
    ("breaker", "minute", "following"),
    [(CLOSED, 0, None), (OPEN, 5, at(17)), (PROBED, 18, at(32)), (PROBED, 40, at(17))],
)
def test_the_next_probe_is_known(breaker, minute, following):
    assert breaker.next_probe(POLICY, at(minute)) == following


@pytest.mark.parametrize(
    ("breaker", "minute", "text"),
    [
        (CLOSED, 0, "closed, with 0 failed attempts within 10m"),
        (after_failures(0), 1, "closed, with 1 failed attempt within 10m"),
        (
            OPEN,
            3,
            (
                "open since 2026-06-01 12:02:00 UTC, after 3 failed attempts; the next probe is at"
                " 2026-06-01 12:17:00 UTC"
            ),
        ),
        (
            OPEN,
            18,
            (
                "half-open since 2026-06-01 12:17:00 UTC: the next scheduled run probes whether it"
                " works"
            ),
        ),
        (
            PROBED,
            18,
            (
                "half-open: `a` probes since 2026-06-01 12:17:00 UTC whether it works; the next"
                " probe is at 2026-06-01 12:32:00 UTC if that has not ended by then"
            ),
        ),
    ],
)
def test_it_says_in_words_how_it_stands(breaker, minute, text):
    assert breaker.explain(POLICY, at(minute)) == text


@pytest.mark.parametrize("breaker", [CLOSED, after_failures(0, 1), OPEN, PROBED])
def test_it_is_read_as_it_was_written(breaker):
    assert Breaker.from_json(breaker.to_json()) == breaker


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"failures": 3},
        {"failures": [3]},
        {"failures": ["yesterday"]},
        {"failures": [], "opened": "now"},
        {"failures": [], "probe": ["a"]},
        {"failures": [], "probe": 7},
        {"failures": ["2026-01-01T00:00:00"]},
        {"failures": [], "opened": "2026-01-01T00:00:00"},
        {"failures": [], "probe": ["a", "2026-01-01T00:00:00"]},
        [],
    ],
)
def test_what_is_no_breaker_is_refused(value):
    with pytest.raises(ValueError):
        Breaker.from_json(value)
