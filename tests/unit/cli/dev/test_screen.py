from dataclasses import replace
from datetime import UTC, datetime

import click

from orchestration import __version__
from orchestration.cli.dev.screen import (
    Event,
    Surroundings,
    describe_jobs,
    describe_schedules,
    format_event,
    render_screen,
    run_event,
    run_events,
)
from orchestration.cli.dev.ui import FinishedRun

NOON = datetime(2026, 1, 1, 12, 0, 3, tzinfo=UTC)
RUN = FinishedRun(
    run_id="r1", subject="acme/orders", outcome="succeeded", updated_at=1.0, seconds=1.94, rows=1234
)


def test_the_screen_says_where_everything_is(workspace):
    around = Surroundings(
        url="http://localhost:3000",
        state=".orchestrate",
        logs=".orchestrate/logs",
        processes=("code-server", "webserver", "daemon"),
        notes=("the UI has no authentication",),
    )

    assert click.unstyle(render_screen(workspace, around)) == (
        f"\norchestrate {__version__}\n\n"
        "  UI         http://localhost:3000\n"
        "  workspace  /srv/etl/runner.yaml\n"
        "  jobs       4 of 3 tenants: acme 2, globex 1, initech 1; 1 is broken\n"
        "  schedules  2, of which 1 is enabled\n"
        "  processes  code-server, webserver, daemon\n"
        "  state      .orchestrate\n"
        "  logs       .orchestrate/logs\n\n"
        "note: the UI has no authentication\n\n"
        "Saved changes are loaded at once. Press Ctrl-C to stop everything.\n"
    )


def test_many_tenants_are_cut_short(workspace, job):
    jobs = tuple(job(f"t{number:02}", "orders") for number in range(10))

    assert describe_jobs(replace(workspace, jobs=jobs, broken_jobs=())) == (
        "10 of 10 tenants: t00 1, t01 1, t02 1, t03 1, t04 1, t05 1, t06 1, t07 1 and 2 more"
    )


def test_an_empty_workspace_has_none_yet(workspace):
    empty = replace(workspace, jobs=(), broken_jobs=(), schedules=())

    assert (describe_jobs(empty), describe_schedules(empty)) == ("none yet", "none yet")


def test_schedules_that_are_all_enabled_are_just_counted(workspace, schedule):
    enabled = tuple(schedule(f"s{number}", "acme/orders", number) for number in (1, 2, 3))

    assert describe_schedules(replace(workspace, schedules=enabled)) == "3"


def test_events_have_a_time_and_further_lines_are_indented():
    assert click.unstyle(format_event(NOON, Event(kind="error", text="one\ntwo"))) == (
        "12:00:03  error      one\n                     two"
    )


def test_what_has_no_kind_stands_for_itself():
    assert format_event(NOON, Event(text="a: error ORC104: b\n")) == "a: error ORC104: b\n"


def test_a_run_that_succeeded_says_rows_and_duration():
    assert run_event(RUN, "http://localhost:3000") == Event(
        kind="succeeded", text="acme/orders, 1,234 rows in the table, 1.9 s"
    )


def test_what_follows_from_a_run_has_a_line_of_its_own():
    run = replace(
        RUN,
        outcome="failed",
        rows=None,
        seconds=None,
        retry_at=NOON.astimezone(),
        breakers=(("acme/stripe", "opened"), ("acme/csv", "closed")),
    )

    _, *following = run_events(run, "http://localhost:3000")

    assert following == [
        Event(kind="retry", text=f"acme/orders again at {NOON.astimezone():%F %T}, in a new run"),
        Event(
            kind="opened",
            text="the breaker of `stripe` for tenant `acme`; its schedules skip",
        ),
        Event(
            kind="closed",
            text="the breaker of `csv` for tenant `acme`; its schedules run again",
        ),
    ]


def test_a_run_that_failed_says_where_to_look():
    failed = replace(RUN, outcome="failed", rows=None, seconds=None)

    assert run_event(failed, "http://localhost:3000") == Event(
        kind="failed", text="acme/orders\nhttp://localhost:3000/runs/r1"
    )
