from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from orchestration.defs.schedules import build_schedule
from orchestration.domain.limits import Priority
from orchestration.domain.schedule import CatchUp, CronTrigger, IntervalTrigger

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def scheduled(make_workspace):
    workspace = make_workspace()
    return workspace.schedules[7], workspace.jobs[7]


def evaluate(schedule, job, gate=lambda _: True, tick=NOON):
    """The runs that Dagster launches at the tick, or the reason why it launches none."""
    context = dg.build_schedule_context(scheduled_execution_time=tick)
    found = build_schedule(schedule, job, gate).evaluate_tick(context)
    return found.run_requests or found.skip_message


@pytest.mark.parametrize("answer", [True, None])
def test_an_enabled_schedule_runs_its_own_job_with_its_tags(scheduled, answer):
    schedule, job = scheduled

    requests = evaluate(schedule, job, lambda _: answer)

    assert requests == [
        dg.RunRequest(
            job_name="globex",
            asset_selection=[dg.AssetKey(["globex", "job_2"])],
            tags={
                "team": "globex",
                "tenant": "globex",
                "job_name": "job_2",
                "connector_type": "command",
                "orchestration/schedule": "globex_job_2_hourly",
                "orchestration/scheduled_at": "2026-06-01T12:00:00+00:00",
                "dagster/schedule_name": "globex_job_2_hourly",
            },
        )
    ]


@pytest.mark.parametrize("priority", [Priority.LOW, Priority.NORMAL, Priority.CRITICAL])
def test_the_priority_of_a_schedule_is_on_its_runs_also_to_say_that_it_is_normal(
    scheduled, priority
):
    schedule, job = scheduled

    [request] = evaluate(replace(schedule, priority=priority), job)

    assert request.tags["dagster/priority"] == str(priority.rank)


def test_each_schedule_of_three_tenants_runs_its_own_job(make_workspace):
    workspace = make_workspace()
    jobs = {job.id: job for job in workspace.jobs}

    launched = {
        schedule.name: [
            (request.job_name, request.asset_selection[0].to_user_string())
            for request in evaluate(schedule, jobs[schedule.job_id])
        ]
        for schedule in workspace.schedules
    }

    assert launched == {
        f"{tenant}_job_{n}_hourly": [(tenant, f"{tenant}/job_{n}")]
        for tenant in ("acme", "globex", "initech")
        for n in range(5)
    }


def test_a_schedule_that_the_file_disables_skips_at_once_and_says_why(scheduled):
    skip = evaluate(*scheduled, gate=lambda _: False)

    assert skip == "schedule `globex_job_2_hourly` has `enabled: false`"


def test_the_gate_is_asked_for_the_schedule_by_its_name(scheduled):
    asked = []

    evaluate(*scheduled, gate=asked.append)

    assert asked == ["globex_job_2_hourly"]


def test_a_tick_outside_the_window_skips_without_asking_the_instance(scheduled):
    schedule, job = scheduled

    skip = evaluate(replace(schedule, start=NOON + timedelta(days=1)), job)

    assert skip == "schedule `globex_job_2_hourly` starts at 2026-06-02 12:00+00:00"


def test_a_tick_that_is_evaluated_late_skips_without_catch_up(scheduled):
    schedule, job = scheduled

    skip = evaluate(
        replace(schedule, catch_up=CatchUp.NONE), job, tick=datetime(2020, 1, 1, tzinfo=UTC)
    )

    assert "`catch_up: none`" in skip


def test_a_dry_run_from_the_ui_launches_nothing_for_missed_ticks(scheduled):
    schedule, job = scheduled

    [request] = evaluate(replace(schedule, catch_up=CatchUp.ALL), job)

    assert request.run_key == "2026-06-01T12:00:00+00:00"


def test_a_cron_schedule_keeps_expression_and_zone_and_is_running_from_the_start(scheduled):
    built = build_schedule(*scheduled, gate=lambda _: True)

    assert built.name == "globex_job_2_hourly"
    assert built.cron_schedule == "0 * * * *"
    assert built.execution_timezone == "Europe/Paris"
    assert built.default_status is dg.DefaultScheduleStatus.RUNNING
    assert built.job_name == "globex"
    assert built.description == "Runs `globex/job_2` at `0 * * * *` (Europe/Paris)."


def test_a_disabled_schedule_starts_stopped(scheduled):
    schedule, job = scheduled

    built = build_schedule(replace(schedule, enabled=False), job, gate=lambda _: False)

    assert built.default_status is dg.DefaultScheduleStatus.STOPPED


def test_an_expression_on_which_dagster_fails_is_handed_over_in_two_parts(scheduled):
    schedule, job = scheduled
    trigger = CronTrigger(expressions=("30 23 * * *",), timezone="America/Santiago")

    built = build_schedule(replace(schedule, trigger=trigger), job, gate=lambda _: True)

    assert built.cron_schedule == ["30 23 * 2 *", "30 23 * 1,3-12 *"]
    assert built.execution_timezone == "America/Santiago"


def test_an_interval_becomes_its_exact_union_of_crons_in_utc(scheduled):
    schedule, job = scheduled
    schedule = replace(schedule, trigger=IntervalTrigger(interval=timedelta(minutes=90)))

    built = build_schedule(schedule, job, gate=lambda _: True)

    assert built.cron_schedule == [
        "0 0,3,6,9,12,15,18,21 * * *",
        "30 1,4,7,10,13,16,19,22 * * *",
    ]
    assert built.execution_timezone == "UTC"


def test_an_interval_without_a_union_of_crons_is_refused(scheduled):
    schedule, job = scheduled
    schedule = replace(schedule, trigger=IntervalTrigger(interval=timedelta(seconds=90)))

    with pytest.raises(ValueError, match="has no exact cron expressions"):
        build_schedule(schedule, job, gate=lambda _: True)
