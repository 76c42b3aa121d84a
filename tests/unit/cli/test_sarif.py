from pathlib import Path

from orchestration import __version__
from orchestration.cli.sarif import render_sarif
from orchestration.domain.problem import Location, Severity


def test_problems_become_results_with_rules_levels_and_regions(problem):
    problems = [
        problem("jobs/acme/ö 1.yaml"),
        problem("/etc/other.yaml", Severity.WARNING, code="ORC190"),
    ]

    assert render_sarif(problems, root=Path("/srv/e t l")) == {
        "$schema": (
            "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
            "sarif-schema-2.1.0.json"
        ),
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "orchestrate",
                        "semanticVersion": __version__,
                        "rules": [{"id": "ORC104"}, {"id": "ORC190"}],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {"WORKSPACE": {"uri": "file:///srv/e%20t%20l/"}},
                "results": [
                    {
                        "ruleId": "ORC104",
                        "ruleIndex": 0,
                        "level": "error",
                        "message": {
                            "text": "unknown key `max_retrys`\nhelp: allowed keys are a, b and c"
                        },
                        "locations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {
                                        "uri": "jobs/acme/%C3%B6%201.yaml",
                                        "uriBaseId": "WORKSPACE",
                                    },
                                    "region": {"startLine": 3, "startColumn": 5, "endColumn": 15},
                                }
                            }
                        ],
                    },
                    {
                        "ruleId": "ORC190",
                        "ruleIndex": 1,
                        "level": "warning",
                        "message": {
                            "text": "unknown key `max_retrys`\nhelp: allowed keys are a, b and c"
                        },
                        "locations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {"uri": "file:///etc/other.yaml"},
                                    "region": {"startLine": 3, "startColumn": 5, "endColumn": 15},
                                }
                            }
                        ],
                    },
                ],
            }
        ],
    }


def test_a_workspace_without_problems_is_a_run_without_results(problem):
    run = render_sarif([], root=Path("/srv"))["runs"][0]

    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


def test_a_problem_without_a_known_length_still_marks_one_character(problem):
    [run] = render_sarif([problem(location=Location(file="runner.yaml"))], root=Path("/srv"))[
        "runs"
    ]

    region = run["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 1, "startColumn": 1, "endColumn": 2}
