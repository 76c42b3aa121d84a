import click
import pytest

from orchestration.cli.schedule.errors import UnsupportedOptionError
from orchestration.cli.schedule.new_entry import NewEntry, refuse_elsewhere

NOTHING = {
    "cron": (),
    "interval_seconds": None,
    "after_completion_seconds": None,
    "continuous": False,
    "once": None,
    "on_asset": None,
    "timezone": None,
    "start": None,
    "end": None,
    "concurrency": None,
    "max_consecutive_errors": None,
    "skip_if_running": False,
    "vars": (),
    "max_retries": None,
    "notify_on_failure": None,
}


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"cron": ("0 2 * * *",)}, {"cron": "0 2 * * *"}),
        ({"cron": ("0 2 * * *", "0 9 * * 1")}, {"cron": ["0 2 * * *", "0 9 * * 1"]}),
        ({"interval_seconds": 90}, {"interval_seconds": 90}),
        ({"after_completion_seconds": 600}, {"after_completion_seconds": 600}),
        ({"continuous": True}, {"continuous": True}),
        ({"once": "2026-06"}, {"once": "2026-06"}),
        ({"on_asset": "globex/countries"}, {"on_asset": "globex/countries"}),
        (
            {
                "cron": ("0 2 * * *",),
                "timezone": "Asia/Tokyo",
                "start": "2026-01-01",
                "end": "2027-01-01",
                "concurrency": 2,
                "max_consecutive_errors": 5,
                "skip_if_running": True,
            },
            {
                "cron": "0 2 * * *",
                "timezone": "Asia/Tokyo",
                "start": "2026-01-01",
                "end": "2027-01-01",
                "overlap": "skip",
                "max_concurrent_runs": 2,
                "max_consecutive_errors": 5,
            },
        ),
    ],
)
def test_options_become_fields_of_the_entry(options, fields):
    new = NewEntry.of("acme/orders", "x", {**NOTHING, **options})

    assert new == NewEntry(job="acme/orders", name="x", fields=fields)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, "none"),
        ({"cron": ("0 2 * * *",), "continuous": True}, "--cron and --continuous"),
        ({"once": "1", "on_asset": "a/b"}, "--once and --on-asset"),
    ],
)
def test_exactly_one_option_says_when(options, found):
    with pytest.raises(click.UsageError) as caught:
        NewEntry.of("acme/orders", None, {**NOTHING, **options})

    assert caught.value.message == (
        "give exactly one of --cron, --interval-seconds, --after-completion-seconds, --continuous,"
        f" --once, --on-asset; there is {found}"
    )


@pytest.mark.parametrize(
    ("option", "value", "reason", "cure"),
    [
        (
            "vars",
            ("A=1",),
            "a schedule does not set variables",
            "set `env` in the job file, or `env` of its tenant in runner.yaml",
        ),
        (
            "max_retries",
            "3",
            "retries belong to the job, not to its schedule",
            "set `retry_config: {max_retries: ...}` in the job file",
        ),
        (
            "notify_on_failure",
            "https://example.com",
            "alerts are not supported yet, so nobody would be told",
            "leave it out; failed runs are in Dagster's UI, and `orchestrate dev` shows them",
        ),
    ],
)
def test_options_that_no_schedule_has_are_refused_with_a_cure(option, value, reason, cure):
    with pytest.raises(UnsupportedOptionError) as caught:
        refuse_elsewhere({**NOTHING, option: value}, "acme/orders")

    assert str(caught.value) == (
        f"error ORC634: `--{option.replace('_', '-')}` cannot be set for the schedule of"
        f" `acme/orders`: {reason}\n   help: {cure}"
    )


def test_nothing_is_refused_that_is_not_given():
    refuse_elsewhere(NOTHING, "acme/orders")
