from datetime import timedelta

from orchestration.cli.up.restarts import RestartPolicy

POLICY = RestartPolicy()


def test_each_restart_waits_twice_as_long_as_the_one_before():
    deaths = [0.0, 10.0, 20.0, 30.0, 40.0]

    delays = [POLICY.delay(deaths[: n + 1]) for n in range(len(deaths))]

    assert delays == [timedelta(seconds=seconds) for seconds in (1, 2, 4, 8, 16)]


def test_the_sixth_death_within_ten_minutes_is_one_too_many():
    assert POLICY.delay([0.0, 1.0, 2.0, 3.0, 4.0, 599.9]) is None


def test_deaths_of_more_than_ten_minutes_ago_are_forgotten():
    assert POLICY.delay([0.0, 1.0, 2.0, 3.0, 4.0, 602.0]) == timedelta(seconds=4)
