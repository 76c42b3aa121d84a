"""After a SIGKILL of any process at any moment of the life of a tick: one run for each tick."""

import pytest
from recovery_matrix import CHOSEN, MOMENTS, VICTIMS, repeats_are_allowed

pytestmark = pytest.mark.xdist_group("recovery")


def test_every_tick_has_run_once_within_its_tenants_limit(outcome):
    kill = outcome.kill
    allowed = {"repeated"} if repeats_are_allowed(kill.moment, kill.victim) else set()

    assert [found for found in outcome.violations if found.kind not in allowed] == []


def test_each_moment_is_chosen_and_each_process_on_both_storages():
    chosen = {s: [pair for lane in lanes for pair in lane] for s, lanes in CHOSEN.items()}

    assert {moment for pairs in chosen.values() for moment, _ in pairs} == set(MOMENTS)
    for pairs in chosen.values():
        assert {victim for _, victim in pairs} == set(VICTIMS)
