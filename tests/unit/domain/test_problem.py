from dataclasses import replace

from orchestration.domain.problem import (
    Location,
    Problem,
    Severity,
    format_problem,
    sort_problems,
)

PROBLEM = Problem(
    code="ORC104",
    severity=Severity.ERROR,
    message="unknown key `max_retrys` in `retry_config`",
    help="allowed keys are a, b",
    location=Location(file="jobs/acme/orders.yaml", line=14, column=5, length=10),
    hint="did you mean `max_retries`?",
    source_line="    max_retrys: 3",
)


def test_a_problem_is_shown_with_its_line_a_caret_and_the_cure():
    assert format_problem(PROBLEM) == (
        "jobs/acme/orders.yaml:14:5: error ORC104: unknown key `max_retrys` in `retry_config`\n"
        "   14 |     max_retrys: 3\n"
        "      |     ^^^^^^^^^^ did you mean `max_retries`?\n"
        "   help: allowed keys are a, b"
    )


def test_without_a_line_the_hint_is_a_note():
    assert format_problem(replace(PROBLEM, source_line="  ")) == (
        "jobs/acme/orders.yaml:14:5: error ORC104: unknown key `max_retrys` in `retry_config`\n"
        "   note: did you mean `max_retries`?\n"
        "   help: allowed keys are a, b"
    )


def test_without_a_hint_there_is_no_note():
    assert format_problem(replace(PROBLEM, source_line="", hint="")).count("\n") == 1


def test_the_caret_stays_inside_of_the_line():
    location = replace(PROBLEM.location, length=99)
    shown = format_problem(replace(PROBLEM, location=location, hint=""))
    assert shown.splitlines()[2] == "      |     ^^^^^^^^^^^^^"


def test_a_place_behind_the_line_has_one_caret():
    location = replace(PROBLEM.location, column=30)
    shown = format_problem(replace(PROBLEM, location=location, hint=""))
    assert shown.splitlines()[2] == "      |" + " " * 30 + "^"


def test_a_warning_is_no_error():
    warning = replace(PROBLEM, severity=Severity.WARNING)
    assert (PROBLEM.is_error, warning.is_error) == (True, False)
    assert format_problem(warning).startswith("jobs/acme/orders.yaml:14:5: warning ORC104: ")


def test_problems_are_read_by_file_line_and_column_and_equal_ones_once():
    later = replace(PROBLEM, location=replace(PROBLEM.location, line=15))
    other = replace(PROBLEM, location=Location(file="jobs/acme/a.yaml", line=99))
    assert sort_problems([later, PROBLEM, other, PROBLEM]) == (other, PROBLEM, later)
