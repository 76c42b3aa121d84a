"""A breaker opens, skips, probes and closes for one tenant, whichever code server its jobs are in."""

SLACK = 5
"""Seconds in which a run may still come that was let through just before the breaker opened."""
STATES = (
    "the breaker of `stripe` for tenant `acme` is open since ",
    "the breaker of `stripe` for tenant `acme` is half-open: `",
)


def of_acme(record):
    return [work for work in record.works if work.named.startswith("acme/")]


def created_between(record, start, end):
    """The processes of acme whose runs came into being in that time, after the slack."""
    return [
        (work.named, work.succeeded)
        for work in of_acme(record)
        if start + SLACK < record.created[work.run_id] < end
    ]


def test_every_command_ran_for_its_own_job(record):
    assert [work for work in record.works if work.named != work.told] == []
    assert {work.named for work in record.works} == {
        *("acme/orders", "acme/refunds", "globex/orders", "globex/refunds"),
        *("initech/orders", "initech/flaky"),
    }


def test_while_it_is_open_nothing_is_launched_until_one_run_probes_in_either_code_server(record):
    first, second = record.opened

    [(_, succeeded)] = created_between(record, first, second)
    assert not succeeded
    [(_, succeeded)] = created_between(record, second, record.closed)
    assert succeeded


def test_the_schedules_of_both_code_servers_say_why_they_skip_and_when_it_is_probed(record):
    for schedule in ("acme_orders", "acme_refunds"):
        reasons = [reason for reason in record.skips[schedule] if "breaker" in reason]
        assert reasons, schedule
        assert all(reason.startswith(STATES) for reason in reasons)
        assert all("the next probe is at 20" in reason for reason in reasons)


def test_when_the_probe_has_succeeded_all_jobs_of_the_tenant_run_again(record):
    after = {work.named for work in of_acme(record) if work.at > record.closed}

    assert after == {"acme/orders", "acme/refunds"}


def test_opening_and_closing_are_told_in_the_log_of_the_run_that_did_it(record):
    told = [
        (notice["event_type"], notice["tenant"], notice["connector"])
        for notice in sorted(record.notices, key=lambda notice: notice["timestamp"])
    ]

    opened, closed = (("breaker_" + word, "acme", "stripe") for word in ("opened", "closed"))
    assert told == [opened, opened, closed]
    states = [notice["breaker"] for notice in record.notices if "breaker" in notice]
    assert all("after 2 failed attempts; the next probe is at 20" in state for state in states)


def test_the_other_tenants_run_all_the_while(record):
    first, _ = record.opened
    for job in ("globex/orders", "globex/refunds", "initech/orders"):
        works = [work for work in record.works if work.named == job]
        assert all(work.succeeded for work in works)
        assert [work for work in works if first < work.at < record.closed], job
        assert not [r for r in record.skips[job.replace("/", "_")] if "breaker" in r]
    assert [(row.tenant, row.failures) for row in record.others] == [("globex", 0), ("initech", 0)]


def test_a_schedule_is_paused_after_its_failures_and_runs_again_when_it_is_resumed(record):
    flaky = [work.succeeded for work in record.works if work.named == "initech/flaky"]

    assert record.paused_works == 2
    assert flaky[:3] == [False, False, True]
    assert all(flaky[2:])
    assert record.resumed == (
        "`flaky` resumed; 2 failed runs in a row of `initech/flaky` will pause it again\n"
    )
    [reason] = {reason for reason in record.skips["flaky"] if "max_consecutive_errors" in reason}
    assert reason == (
        "paused by `max_consecutive_errors`: each of the last 2 runs of `initech/flaky` failed; a"
        " success of the job ends it, or `orchestrate schedule resume flaky`"
    )
