"""Whatever happens when: after a restart no row is lost and none doubled, and nothing is left over."""

import pytest
from guarantees_matrix import (
    FAULTS,
    FULL,
    KINDS,
    MOMENTS,
    PAGE,
    PROBE,
    all_cases,
    chosen_cases,
    read_cells,
)
from guarantees_probe import suffer_as_probe
from guarantees_system import TENANTS

pytestmark = pytest.mark.xdist_group("guarantees")


def test_after_a_fault_and_a_restart_the_target_holds_what_the_source_does(case, systems, cells):
    kind, moment, fault = case
    system = systems(kind)
    tenant = TENANTS[all_cases().index(case) % len(TENANTS)]
    system.add_file(tenant)

    suffer = suffer_as_probe if moment == PROBE else suffer_by_hand
    ended = suffer(system, tenant, moment, fault)

    if kind == "command":
        assert set(system.remembered(tenant)) <= set(system.rows(tenant))
    assert str(system.run(tenant)) == "succeeded", system.output()
    for name in TENANTS:
        assert system.rows(name) == system.source(name)
    attempts = system.root / ".orchestrate/attempts" / tenant / "things"
    assert [path for path in attempts.glob("*") if path.is_dir()] == []
    cells[case] = ended
    assert FULL or ended == read_cells(PAGE).get(case, ended)


def suffer_by_hand(system, tenant, moment, fault) -> str:
    """How `orchestrate run --retry` ended to which the fault happened. Nothing is left of it, and all
    is repaired.
    """
    ended = system.suffer(tenant, moment, fault)
    system.wait_until_nothing_is_left()
    system.mend(tenant, fault)
    return str(ended)


def test_each_moment_and_each_fault_is_chosen_for_both_kinds_of_jobs():
    for kind in KINDS:
        chosen = [case for case in chosen_cases() if case[0] == kind]
        possible = {moment for other, moment, _ in all_cases() if other == kind}
        assert {moment for _, moment, _ in chosen} == possible
        assert {fault for _, _, fault in chosen} == set(FAULTS)
    assert {moment for _, moment, _ in all_cases()} == set(MOMENTS)
