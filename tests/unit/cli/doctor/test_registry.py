from dataclasses import replace

from orchestration.cli.doctor.finding import EXIT_CODES, Status
from orchestration.cli.doctor.registry import examine


def test_of_an_instance_without_a_fault_every_check_has_something_good_to_say(bench):
    findings = list(examine(bench.observe()))

    assert {finding.status for _, finding in findings} == {Status.OK}
    assert [(name, finding.found) for name, finding in findings] == [
        ("files", "3 jobs, 3 schedules, 3 tenants"),
        ("instance", "`orchestrate up` runs in process 7, with its UI at http://localhost:3000"),
        ("versions", "orchestration 0.1.0, dagster 1.13.27, Python 3.12.1"),
        ("disk", "50.0 GiB are free for /srv/etl/.orchestrate"),
        (
            "settings",
            "OrchestrationRunCoordinator, and the dagster.yaml that follows from the files",
        ),
        ("limits", "7 limits in force, as in the files"),
        ("daemons", "2 daemons alive"),
        ("code location", "3 jobs served as the files say"),
        ("clock", "2026-01-31 12:30:00 UTC, and nothing lies in the future"),
        ("schedules", "3 schedules, of which 3 enabled and running"),
        ("ticks", "no run is missing"),
        ("queue", "0 runs in the queue"),
        ("runs", "0 runs under way"),
        ("retries", "0 retries to come"),
    ]


def test_when_nothing_is_up_only_that_is_wrong_and_what_needs_it_is_not_judged(bench):
    seen = replace(bench.observe(), instance=None, live=None)

    findings = dict(examine(seen))

    assert list(findings) == ["files", "instance", "versions", "disk"]
    assert {name: f.status for name, f in findings.items() if f.status != Status.OK} == {
        "instance": Status.ERROR
    }


def test_the_exit_code_is_that_of_the_worst():
    assert EXIT_CODES == {Status.OK: 0, Status.WARNING: 1, Status.ERROR: 2}
