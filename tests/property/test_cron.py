"""What is accepted fires when it says: the same ticks as Dagster's own iterator, in UTC."""

from datetime import UTC, datetime
from itertools import islice

from cronsim import CronSim
from dagster._utils.schedules import cron_string_iterator
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestration.domain.cron import CronError, normalise_cron

START = datetime(2026, 3, 1, 12, 7, 30, tzinfo=UTC)


def part(low: int, high: int, *names: str) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    pair = st.tuples(number, number).map(sorted)
    return st.one_of(
        st.just("*"),
        number.map(str),
        pair.map("{0[0]}-{0[1]}".format),
        pair.map("{0[0]},{0[1]}".format),
        st.integers(1, high).map("*/{}".format),
        st.tuples(pair, st.integers(1, 5)).map("{0[0][0]}-{0[0][1]}/{0[1]}".format),
        st.sampled_from([*names, "*"]),
    )


EXPRESSIONS = st.tuples(
    part(0, 59), part(0, 23), part(1, 31), part(1, 12, "jan", "DEC"), part(0, 7, "mon", "FRI")
).map(" ".join)


@settings(max_examples=1_000)
@given(EXPRESSIONS)
def test_an_accepted_expression_has_the_ticks_that_dagster_fires(expression):
    try:
        normal = normalise_cron(expression)
    except CronError:
        assume(condition=False)
    fired = islice(cron_string_iterator(START.timestamp(), normal, "UTC"), 10)
    told = islice(CronSim(normal, START), 10)
    assert [tick.timestamp() for tick in fired] == [tick.timestamp() for tick in told]
