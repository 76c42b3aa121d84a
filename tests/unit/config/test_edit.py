"""Edits of runner.yaml, each beside the exact text that it gives."""

import pytest

from orchestration.config.edit import add_schedule, remove_schedule, set_enabled
from orchestration.errors import EditError

RUNNER = """\
# the workspace
runner:
  orchestrator:
    schedules:
      # Loads the orders.
      - name: orders
        config: jobs/acme/orders.yaml
        cron: "0 * * * *"  # on the hour

      # Off for now.
      - name: users
        config: jobs/globex/users.yaml
        interval_seconds: 90
        enabled: false  # see above
        tags: {cadence: odd}

      - {name: reports, config: jobs/initech/reports.yaml, cron: ["@daily", "@hourly"]}

  tenants:
    acme: {concurrency: 2}
"""


def test_a_schedule_is_switched_on_by_one_word():
    assert set_enabled(RUNNER, "users", True) == RUNNER.replace("enabled: false", "enabled: true")


def test_a_schedule_without_the_key_gets_it_behind_those_that_come_before_it():
    line = '        cron: "0 * * * *"  # on the hour\n'
    assert set_enabled(RUNNER, "orders", False) == RUNNER.replace(
        line, f"{line}        enabled: false\n"
    )


def test_a_schedule_in_braces_gets_the_key_in_braces():
    file = "config: jobs/initech/reports.yaml"
    assert set_enabled(RUNNER, "reports", False) == RUNNER.replace(file, f"{file}, enabled: false")


@pytest.mark.parametrize(("name", "enabled"), [("orders", True), ("users", False)])
def test_nothing_changes_where_it_is_so_already(name, enabled):
    assert set_enabled(RUNNER, name, enabled) == RUNNER


def test_a_removed_schedule_takes_the_comment_above_it_along():
    start, end = RUNNER.index("      # Off"), RUNNER.index("      - {name: reports")
    assert remove_schedule(RUNNER, "users") == RUNNER[:start] + RUNNER[end:]


def test_the_first_and_the_last_schedule_leave_no_blank_lines_behind():
    first, second = RUNNER.index("      # Loads"), RUNNER.index("      # Off")
    assert remove_schedule(RUNNER, "orders") == RUNNER[:first] + RUNNER[second:]
    last, rest = RUNNER.index("\n      - {name: reports"), RUNNER.index("\n  tenants")
    assert remove_schedule(RUNNER, "reports") == RUNNER[:last] + RUNNER[rest:]


def test_without_its_last_schedule_the_list_is_empty():
    text = "runner:\n  orchestrator:\n    schedules: # none?\n    - name: a\n  tenants: {}\n"
    assert remove_schedule(text, "a") == text.replace("    - name: a\n", "")
    flow = "runner: {orchestrator: {schedules: [{name: a},], type: dagster}}"
    assert remove_schedule(flow, "a") == flow.replace("{name: a},", "")


def test_an_added_schedule_is_written_like_the_others_in_the_order_of_the_reference():
    fields = {
        "tags": {"team": "data", "on": "yes"},
        "enabled": False,
        "spread": "10m",
        "start": "2026-01-01",
        "cron": ["0 2 * * *"],
        "config": "jobs/acme/new orders.yaml",
        "name": "new_orders",
        "max_concurrent_runs": 2,
    }
    entry = """
      - name: new_orders
        config: "jobs/acme/new orders.yaml"
        cron: ["0 2 * * *"]
        start: "2026-01-01"
        spread: 10m
        max_concurrent_runs: 2
        enabled: false
        tags: {team: data, "on": "yes"}
"""
    at = RUNNER.index("\n  tenants")
    assert add_schedule(RUNNER, fields) == RUNNER[:at] + entry + RUNNER[at:]


NEW = {"name": "new", "config": "jobs/acme/orders.yaml", "once": 1}
BLOCK = """\
- name: new
  config: jobs/acme/orders.yaml
  once: 1"""


def block(depth):
    return "".join(f"\n{' ' * depth}{line}" for line in BLOCK.splitlines())


FLOW = "{name: new, config: jobs/acme/orders.yaml, once: 1}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("runner: {}\n", f"runner:\n  orchestrator:\n    schedules:{block(6)}\n"),
        ("runner:", f"runner:\n  orchestrator:\n    schedules:{block(6)}"),
        (
            "runner:\n    dev:  # x\n    # end\n",
            f"runner:\n    dev:  # x\n    # end\n    orchestrator:\n        schedules:{block(12)}\n",
        ),
        (
            "runner:\n  orchestrator:\n    schedules: []  # none\n  tenants: {}\n",
            f"runner:\n  orchestrator:\n    schedules:  # none{block(6)}\n  tenants: {{}}\n",
        ),
        (
            "runner:\n  orchestrator:\n    schedules:\n    - name: a\n    # limits\n    x: 1\n",
            f"runner:\n  orchestrator:\n    schedules:\n    - name: a{block(4)}\n    # limits\n    x: 1\n",
        ),
        (
            "runner: {orchestrator: {type: dagster}}",
            f"runner: {{orchestrator: {{type: dagster, schedules: [{FLOW}]}}}}",
        ),
        (
            "runner: {orchestrator: {schedules: }}",
            f"runner: {{orchestrator: {{schedules: [{FLOW}]}}}}",
        ),
        (
            "runner: {orchestrator: {schedules: [{name: a}, {name: b}]}}",
            f"runner: {{orchestrator: {{schedules: [{{name: a}}, {{name: b}}, {FLOW}]}}}}",
        ),
    ],
)
def test_a_schedule_is_added_to_a_list_that_is_short_empty_or_missing(before, after):
    assert add_schedule(before, NEW) == after


@pytest.mark.parametrize("text", ["y", "null", "1e3", "2026-01-01", "a: b", "\u2028\x7f", "é", ""])
def test_a_text_stays_a_text(text):
    edited = add_schedule("runner: {}\n", {"name": "new", "once": text})
    assert set_enabled(edited, "new", True) == edited


def test_windows_line_ends_and_the_byte_order_mark_stay():
    text = "\ufeff" + RUNNER.replace("\n", "\r\n")
    switched = set_enabled(text, "orders", False)
    assert switched.removeprefix("\ufeff").replace("\r\n", "\n") == set_enabled(
        RUNNER, "orders", False
    )
    assert (switched[0], switched.count("\n")) == ("\ufeff", switched.count("\r\n"))
    assert remove_schedule(add_schedule(text, NEW), "new") == text


def test_a_comment_below_the_last_schedule_stays_with_it_and_wide_dashes_are_kept():
    head = "runner:\n  orchestrator:\n    schedules:\n    -   name: a\n        # tail\n"
    rest = "\n  tenants: {}\n"
    entry = "    -   name: new\n        config: jobs/acme/orders.yaml\n        once: 1\n"
    assert add_schedule(head + rest, NEW) == head + entry + rest


def test_a_file_without_a_line_break_at_its_end_gets_none():
    text = "runner:\n  orchestrator:\n    schedules:\n    - {name: a}"
    added = add_schedule(text, NEW)
    assert added == text + block(4)
    assert remove_schedule(added, "new") == text


ANCHORS = """\
runner:
  orchestrator:
    schedules:
      - &first {name: a, config: a.yaml, cron: "@daily", enabled: &on true}
      - {<<: *first, name: b}
      - {name: c, config: c.yaml, cron: "@daily", enabled: *on}
      - {name: d, config: d.yaml, cron: "@daily", enabled: "${D:-true}"}
      - {name: e, config: d.yaml, cron: "@daily", enabled: "true"}
      - {name: f, config: d.yaml, cron: "@daily"}
      - {name: f, config: e.yaml, cron: "@daily"}
"""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a", "`enabled` of the schedule `a` is written as `&on true`, which is not changed here"),
        ("b", "`enabled` of the schedule `b` is written as `&on true`, which is not changed here"),
        ("c", "`enabled` of the schedule `c` is written as `&on true`, which is not changed here"),
        (
            "d",
            '`enabled` of the schedule `d` is written as `"${D:-true}"`, which is not changed here',
        ),
        ("f", "`f` names several schedules, in the lines 9, 10"),
        ("g", "no schedule in runner.yaml is named `g`"),
    ],
)
def test_what_cannot_be_switched_safely_is_refused(name, reason):
    with pytest.raises(EditError) as caught:
        set_enabled(ANCHORS, name, False)
    assert caught.value.reason == reason
    assert caught.value.code == "ORC628"


def test_what_others_are_built_on_is_not_removed():
    with pytest.raises(EditError) as caught:
        remove_schedule(ANCHORS, "a")
    assert caught.value.reason == "the change would alter other parts of runner.yaml too"
    assert remove_schedule(ANCHORS, "b") == ANCHORS.replace("      - {<<: *first, name: b}\n", "")


def test_a_misspelt_name_gets_a_suggestion_and_a_taken_one_is_refused():
    with pytest.raises(EditError) as caught:
        remove_schedule(RUNNER, "order")
    assert caught.value.reason == (
        "no schedule in runner.yaml is named `order`, did you mean `orders`?"
    )
    with pytest.raises(EditError) as caught:
        add_schedule(RUNNER, {"name": "orders"})
    assert caught.value.reason == "there is a schedule `orders` in runner.yaml already"


@pytest.mark.parametrize(
    ("text", "where"), [("runner: [", "2:1"), ("runner: {}\nrunner: {}\n", "2:1"), ("", "1:1")]
)
def test_a_broken_file_is_not_edited(text, where):
    with pytest.raises(EditError) as caught:
        add_schedule(text, NEW)
    assert caught.value.location == f"runner.yaml:{where}"


def test_a_list_that_is_none_is_not_overwritten():
    with pytest.raises(EditError) as caught:
        add_schedule("runner: {orchestrator: {schedules: {a: 1}}}\n", NEW)
    assert caught.value.reason == "`schedules` does not hold what it should"
