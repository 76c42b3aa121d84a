from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orchestration.cli.schedule.preview import render_json, render_yaml
from orchestration.cli.schedule.timetable import describe_wait, render_lines
from orchestration.domain.schedule import (
    AfterCompletionTrigger,
    AssetTrigger,
    ContinuousTrigger,
    OnceTrigger,
)
from orchestration.domain.ticks import DstNote

BERLIN = ZoneInfo("Europe/Berlin")
CONTINUOUS = ContinuousTrigger(
    minimum_gap=timedelta(seconds=5),
    error_backoff=timedelta(seconds=30),
    max_error_backoff=timedelta(hours=1),
)


def at(*fields, fold=0):
    return datetime(*fields, tzinfo=BERLIN, fold=fold)


def test_gaps_are_real_time_and_a_note_goes_to_its_tick():
    ticks = [at(2026, 10, 25, 1), at(2026, 10, 25, 2), at(2026, 10, 25, 2, fold=1)]
    notes = [DstNote(instant=at(2026, 10, 25, 2, fold=1), text="02:00 occurs twice")]

    assert list(render_lines(ticks, notes)) == [
        "2026-10-25T01:00:00+02:00  CEST   -",
        "2026-10-25T02:00:00+02:00  CEST   1h",
        "2026-10-25T02:00:00+01:00  CET    1h          02:00 occurs twice",
    ]


def test_what_happened_between_two_ticks_is_told_at_the_second():
    ticks = [at(2026, 3, 28, 12), at(2026, 3, 29, 12), at(2026, 3, 30, 12)]
    notes = [
        DstNote(instant=at(2026, 3, 29, 3), text="one thing"),
        DstNote(instant=at(2026, 3, 29, 4), text="another"),
    ]

    assert list(render_lines(ticks, notes)) == [
        "2026-03-28T12:00:00+01:00  CET    -",
        "2026-03-29T12:00:00+02:00  CEST   23h         one thing; another",
        "2026-03-30T12:00:00+02:00  CEST   1d",
    ]


@pytest.mark.parametrize(
    ("trigger", "wait"),
    [
        (
            AfterCompletionTrigger(delay=timedelta(minutes=10)),
            "waits until a run of `acme/orders` has ended, and fires 10m later",
        ),
        (
            CONTINUOUS,
            "waits until the run of `acme/orders` before has ended, and fires 5s later",
        ),
        (
            OnceTrigger(generation="2026-06"),
            "waits for a new generation, and fires one time for each; this is `2026-06`",
        ),
        (
            AssetTrigger(asset_key=("globex", "duckdb", "countries")),
            "waits until `globex/duckdb/countries` has been updated",
        ),
    ],
)
def test_a_trigger_without_ticks_says_what_it_waits_for(trigger, wait):
    assert describe_wait(trigger, "acme/orders") == wait


@pytest.mark.parametrize(
    ("instants", "as_json", "as_yaml"),
    [
        ([], "[]\n", "[]\n"),
        (["a"], '[\n  "a"\n]\n', "- 'a'\n"),
        (["a", "b"], '[\n  "a",\n  "b"\n]\n', "- 'a'\n- 'b'\n"),
    ],
)
def test_lists_are_whole_though_they_are_written_in_parts(instants, as_json, as_yaml):
    assert "".join(render_json(instants)) == as_json
    assert "".join(render_yaml(instants)) == as_yaml
