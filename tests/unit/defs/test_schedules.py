from dataclasses import replace
from datetime import timedelta

import dagster as dg
import pytest

from orchestration.defs.schedules import ScheduleEvaluation, build_schedule
from orchestration.domain.schedule import IntervalTrigger


@pytest.fixture
def scheduled(make_workspace):
    workspace = make_workspace()
    return workspace.schedules[7], workspace.jobs[7]


@pytest.mark.parametrize("answer", [True, None])
def test_an_enabled_schedule_runs_its_own_job_with_its_tags(scheduled, answer):
    schedule, job = scheduled

    request = ScheduleEvaluation(schedule, job, lambda _: answer)(dg.build_schedule_context())

    assert request == dg.RunRequest(
        job_name="globex",
        asset_selection=[dg.AssetKey(["globex", "job_2"])],
        tags={
            "team": "globex",
            "tenant": "globex",
            "job_name": "job_2",
            "connector_type": "command",
        },
    )


def test_a_schedule_that_the_file_disables_skips_at_once_and_says_why(scheduled):
    schedule, job = scheduled

    skip = ScheduleEvaluation(schedule, job, lambda _: False)(dg.build_schedule_context())

    assert skip == dg.SkipReason("schedule `globex_job_2_hourly` has `enabled: false`")


def test_the_gate_is_asked_for_the_schedule_by_its_name(scheduled):
    schedule, job = scheduled
    asked = []

    ScheduleEvaluation(schedule, job, asked.append)(dg.build_schedule_context())

    assert asked == ["globex_job_2_hourly"]


def test_a_cron_schedule_keeps_expression_and_zone_and_is_running_from_the_start(scheduled):
    built = build_schedule(*scheduled, gate=lambda _: True)

    assert built.cron_schedule == "0 * * * *"
    assert built.execution_timezone == "Europe/Paris"
    assert built.default_status is dg.DefaultScheduleStatus.RUNNING
    assert built.job_name == "globex"
    assert built.description == "Runs `globex/job_2`: 0 * * * * (Europe/Paris)."


def test_a_disabled_schedule_starts_stopped(scheduled):
    schedule, job = scheduled

    built = build_schedule(replace(schedule, enabled=False), job, gate=lambda _: False)

    assert built.default_status is dg.DefaultScheduleStatus.STOPPED


def test_an_interval_becomes_its_exact_union_of_crons_in_utc(scheduled):
    schedule, job = scheduled
    schedule = replace(schedule, trigger=IntervalTrigger(interval=timedelta(minutes=90)))

    built = build_schedule(schedule, job, gate=lambda _: True)

    assert built.cron_schedule == [
        "0 0,3,6,9,12,15,18,21 * * *",
        "30 1,4,7,10,13,16,19,22 * * *",
    ]
    assert built.execution_timezone == "UTC"
