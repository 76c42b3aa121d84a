"""`orchestrate breaker`, and what `schedule` and `doctor` say of what failures hold back."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from orchestration.defs import tags

TENANTS = ("acme", "globex", "initech")
RUNNER = """\
runner:
  breaker: {failures: 2, within: 10m, open_for: 15m}
  connectors:
    ledger: {breaker: {failures: 3}}
  orchestrator:
    schedules:
      - {name: acme_hourly, config: jobs/acme/orders.yaml, cron: "0 * * * *", max_consecutive_errors: 2}
      - {name: globex_hourly, config: jobs/globex/orders.yaml, cron: "0 * * * *", max_consecutive_errors: 2}
      - {name: initech_hourly, config: jobs/initech/orders.yaml, cron: "0 * * * *"}
"""
INSTANCE = """\
storage:
  custom:
    module: orchestration.defs.embedded_storage
    class: EmbeddedStorage
    config: {{base_dir: {home}}}
telemetry: {{enabled: false}}
"""
RETRIES = "retry_config: {max_retries: 3, initial_delay_seconds: 0.01}\n"


@dg.job
def nothing() -> None: ...


@pytest.fixture
def files(workspace):
    """Three tenants; the job of each fails until there is a file `works` in its folder."""
    workspace.write("runner.yaml", RUNNER)
    for tenant in TENANTS:
        script = f"echo {tenant} >> asked; test -e works_{tenant} || exit 2"
        source = "ledger" if tenant == "initech" else "stripe"
        workspace.write_job(tenant, script, more=f"source_connector: {source}\n{RETRIES}")
    return workspace


@pytest.fixture
def home(files) -> Path:
    """The folder of the instance, as something that was up has left it."""
    home = files.folder / ".orchestrate" / "dagster"
    files.write(".orchestrate/dagster/dagster.yaml", INSTANCE.format(home=home))
    return home


def asked(files):
    """Which tenants' commands ran, in order."""
    return (files.folder / "asked").read_text().split()


def standing(files):
    done = files.run("breaker", "list", "--format", "json")
    assert (done.code, done.err) == (0, "")
    return [(row["tenant"], row["connector"], row["state"], row["failures"]) for row in done.json]


def test_before_anything_was_up_all_breakers_are_closed(files):
    assert standing(files) == [
        ("acme", "stripe", "closed", 0),
        ("globex", "stripe", "closed", 0),
        ("initech", "ledger", "closed", 0),
    ]
    assert files.run("breaker", "list").out.splitlines()[-1] == (
        "failures and retries are not counted for breakers and budgets: that begins when"
        " `orchestrate dev` or `orchestrate up` is started for the first time"
    )
    assert files.run("run", "acme/orders").code == 2
    assert files.run("breaker", "reset", "acme", "stripe").out == (
        "the breaker of `stripe` for tenant `acme` had no failures to forget\n"
    )
    assert not (files.folder / ".orchestrate" / "dagster").exists()


def test_the_failures_of_runs_by_hand_open_the_breaker_of_their_tenant_and_a_success_closes_it(
    files, home
):
    assert files.run("run", "acme/orders").code == 2
    assert files.run("run", "globex/orders").code == 2

    done = files.run("run", "acme/orders", "--retry", "--log-format", "json")

    assert done.code == 2
    assert asked(files) == ["acme", "globex", "acme"]
    records = [json.loads(line) for line in done.out.splitlines()]
    [opened] = [record for record in records if record["event_type"] == "breaker_opened"]
    [finished] = [record for record in records if record["event_type"] == "job_finished"]
    assert (opened["tenant"], opened["connector"], opened["level"]) == (
        "acme",
        "stripe",
        "WARNING",
    )
    assert finished["rule"] == "breaker"
    assert standing(files) == [
        ("acme", "stripe", "open", 2),
        ("globex", "stripe", "closed", 1),
        ("initech", "ledger", "closed", 0),
    ]

    files.write("works_acme", "")
    assert files.run("run", "acme/orders").code == 0
    assert standing(files)[0] == ("acme", "stripe", "closed", 0)


def test_an_open_breaker_is_shown_wherever_somebody_looks_and_can_be_reset(files, home):
    for _ in range(2):
        files.run("run", "globex/orders")

    [row] = files.run("breaker", "list", "--tenant", "globex", "--format", "json").json
    since, following = (datetime.fromisoformat(row[key]) for key in ("since", "next_probe"))
    assert following - since == timedelta(minutes=15)
    assert datetime.now(UTC) - since < timedelta(minutes=2)
    table = files.run("breaker", "list").out
    assert re.search(r"globex +stripe +open +2 +\S+ \S+ UTC +\S+ \S+ UTC", table)

    listed = files.run("schedule", "list", "--format", "json").json
    reasons = {entry["name"]: entry["problems"] for entry in listed}
    text = "the breaker of `stripe` for tenant `globex` is open since "
    assert [name for name, found in reasons.items() if text in "".join(found)] == ["globex_hourly"]
    checks = files.run("doctor", "--format", "json").json
    [found] = [check for check in checks if check["check"] == "breakers"]
    assert (found["status"], found["found"].startswith(text)) == ("warning", True)
    assert found["help"].endswith("`orchestrate breaker reset globex stripe`")

    done = files.run("breaker", "reset", "globex", "stripe")

    assert done.out == (
        "the breaker of `stripe` for tenant `globex` is closed, and its failures are forgotten\n"
    )
    assert standing(files)[1] == ("globex", "stripe", "closed", 0)
    checks = files.run("doctor", "--format", "json").json
    [found] = [check for check in checks if check["check"] == "breakers"]
    assert (found["status"], found["found"]) == ("ok", "3 breakers, all closed")


def test_a_breaker_that_no_schedule_will_probe_says_so_and_is_no_fault_for_ever(files, home):
    files.edit(
        "runner.yaml",
        'globex/orders.yaml, cron: "0 * * * *"',
        'globex/orders.yaml, cron: "0 * * * *", enabled: false',
    )
    for tenant in ("acme", "globex") * 2:
        files.run("run", f"{tenant}/orders")
    note = (
        "no enabled schedule of `globex` has `stripe`: a run by hand that succeeds closes the breaker,"
        " or `orchestrate breaker reset globex stripe`"
    )

    assert files.run("breaker", "list").out.endswith(f"\n\n{note}\n")
    checks = files.run("doctor", "--format", "json").json
    found = [check for check in checks if check["check"] == "breakers"]
    assert [check["status"] for check in found] == ["warning", "ok"]
    assert found[1]["found"].endswith(f"; {note}")


@pytest.mark.parametrize("names", [("acme", "ledger"), ("hooli", "stripe")])
def test_a_breaker_that_is_not_in_the_files_cannot_be_reset(files, names):
    done = files.run("breaker", "reset", *names)

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"error ORC663: tenant `{names[0]}` has no breaker for a connector `{names[1]}`\n"
        "   help: `orchestrate breaker list` shows all\n"
    )


def test_without_breakers_the_list_is_empty(files):
    files.edit("runner.yaml", "  breaker: {failures: 2, within: 10m, open_for: 15m}\n", "")
    files.edit("runner.yaml", "    ledger: {breaker: {failures: 3}}\n", "    ledger: {}\n")

    assert files.run("breaker", "list").out == "There are no breakers in runner.yaml.\n"
    assert files.run("breaker", "list", "--format", "json").json == []


def fail_runs(home, **times):
    """So many failed runs of the job of each tenant."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for tenant, count in times.items():
            for _ in range(count):
                run = instance.create_run_for_job(
                    nothing,
                    status=dg.DagsterRunStatus.STARTED,
                    tags={tags.job_slot(f"{tenant}/orders"): "1"},
                )
                instance.report_run_failed(run)


def test_a_schedule_that_failures_have_paused_says_so_until_it_is_resumed(files, home):
    fail_runs(home, acme=2, globex=1, initech=5)
    reason = (
        "paused by `max_consecutive_errors`: each of the last 2 runs of `acme/orders` failed; a"
        " success of the job ends it, or `orchestrate schedule resume acme_hourly`"
    )

    listed = {row["name"]: row for row in files.run("schedule", "list", "--format", "json").json}
    assert reason in listed["acme_hourly"]["problems"]
    assert {name: len(row["next"]) for name, row in listed.items()} == {
        "acme_hourly": 0,
        "globex_hourly": 1,
        "initech_hourly": 1,
    }
    active = files.run("schedule", "list", "--active-only", "--format", "json").json
    assert [row["name"] for row in active] == ["globex_hourly", "initech_hourly"]
    checks = files.run("doctor", "--format", "json").json
    [found] = [check for check in checks if check["check"] == "pauses"]
    assert found == {
        "check": "pauses",
        "status": "warning",
        "found": f"`acme_hourly` is {reason}",
        "help": "correct what fails, then `orchestrate schedule resume acme_hourly`",
    }

    done = files.run("schedule", "resume", "acme_hourly", "globex_hourly", "initech_hourly")

    assert (done.code, done.out) == (
        0,
        (
            "`acme_hourly` resumed; 2 failed runs in a row of `acme/orders` will pause it again\n"
            "`globex_hourly` is not paused by failures\n"
            "`initech_hourly` is not paused by failures\n"
        ),
    )
    listed = files.run("schedule", "list", "--active-only", "--format", "json").json
    assert [row["name"] for row in listed] == ["acme_hourly", "globex_hourly", "initech_hourly"]
    checks = files.run("doctor", "--format", "json").json
    [found] = [check for check in checks if check["check"] == "pauses"]
    assert (found["status"], found["found"]) == ("ok", "none of 2 schedules paused by failures")

    fail_runs(home, acme=2)
    assert reason in files.run("schedule", "list", "--format", "json").json[0]["problems"]


def test_an_unknown_schedule_cannot_be_resumed(files):
    done = files.run("schedule", "resume", "acme_hurly")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error ORC630: there is no schedule `acme_hurly` in runner.yaml")


def test_a_schedule_can_be_added_that_failures_pause(files):
    done = files.run(
        "schedule",
        "add",
        *("--job", "acme/orders", "--cron", "0 2 * * *"),
        *("--max-consecutive-errors", "3"),
    )

    assert done.code == 0
    assert done.out.splitlines()[1] == (
        "Runs `acme/orders` at `0 2 * * *` (UTC); paused after 3 failures in a row."
    )
    assert "max_consecutive_errors: 3" in (files.folder / "runner.yaml").read_text()
