import click

from orchestration.cli.output import count, styled_problem
from orchestration.domain.problem import Severity, format_problem


def test_colours_change_nothing_of_the_text(problem):
    for severity in Severity:
        found = problem(severity=severity, source_line="    max_retrys: 3", hint="did you mean x?")

        assert click.unstyle(styled_problem(found)) == format_problem(found)


def test_one_is_singular_and_thousands_are_separated():
    assert [count(n, "job") for n in (0, 1, 2, 5000)] == ["0 jobs", "1 job", "2 jobs", "5,000 jobs"]
