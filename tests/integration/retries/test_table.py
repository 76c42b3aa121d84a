"""The table of what follows a failed attempt, in runs of Dagster."""

from collections import defaultdict

import pytest
from retry_table import CASES

PACE = 0.001
CHAINS = [case for case in CASES if case.attempts > 1][::6]
"""Of the cases with retries some of each kind: each attempt of these is a run of its own."""


@pytest.fixture(scope="module")
def in_one_run(make_runs):
    """All cases as jobs of one run, which waits for the retries: its id, and what it has logged."""
    runs = make_runs()
    for case in CASES:
        runs.write(f"jobs/acme/{case.name}.yaml", case.job_file(pace=PACE))
    run_id = runs.run()
    return run_id, runs.records(run_id)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.group}-{case.number}")
def test_a_run_makes_the_attempts_and_waits_of_the_table(in_one_run, case):
    run_id, told = in_one_run
    job = f"acme/{case.name}"

    case.check(told[job], seed=f"{run_id}/{job}", pace=PACE)


@pytest.fixture(scope="module")
def in_many_runs(make_runs):
    """The same with no wait in a run: for each case the runs of it, and what they have logged."""
    runs = make_runs("runner: {retry: {in_run_seconds: 0}}\n")
    for case in CHAINS:
        runs.write(f"jobs/acme/{case.name}.yaml", case.job_file())
    started, told = defaultdict(list), defaultdict(list)
    turn = [runs.run(f"acme/{case.name}") for case in CHAINS]
    while turn:
        for run_id in turn:
            [(job, records)] = runs.records(run_id).items()
            started[job].append(run_id)
            told[job] += records
        waiting = [r for r in turn if runs.tags(r).get("orchestration/retry") == "waiting"]
        runs.bring_forward(*waiting)
        turn = runs.launch(runs.look().run_requests)
        assert len(turn) == len(waiting)
    return runs, started, told


@pytest.mark.parametrize("case", CHAINS, ids=lambda case: f"{case.group}-{case.number}")
def test_a_chain_of_runs_makes_the_attempts_and_waits_of_the_table(in_many_runs, case):
    _, started, told = in_many_runs
    job = f"acme/{case.name}"
    is_end = {"retry_attempt": True, "job_finished": False}
    records = [r for r in told[job] if is_end[r["event_type"]] or r["delay_seconds"] is None]
    ends = [record for record in told[job] if record["event_type"] == "job_finished"]

    case.check(records, seed=f"{started[job][0]}/{job}")
    # A delay of zero is no reason to leave the run.
    assert len(ends) == len(started[job])


@pytest.mark.parametrize("case", CHAINS, ids=lambda case: f"{case.group}-{case.number}")
def test_the_runs_of_a_chain_are_one_group_in_the_ui(in_many_runs, case):
    runs, started, _ = in_many_runs
    first, *others = started[f"acme/{case.name}"]

    root, group = runs.instance.get_run_group(started[f"acme/{case.name}"][-1])

    assert root == first
    assert {run.run_id: run.parent_run_id for run in group} == {
        first: None,
        **dict(zip(others, [first, *others], strict=False)),
    }
