import pytest

from orchestration.cli.validate import contents, exit_code, summarise
from orchestration.domain.problem import Severity


@pytest.mark.parametrize(
    ("severities", "strict", "code"),
    [
        ([], False, 0),
        ([], True, 0),
        ([Severity.WARNING], False, 0),
        ([Severity.WARNING], True, 1),
        ([Severity.ERROR], False, 2),
        ([Severity.WARNING, Severity.ERROR], True, 2),
    ],
)
def test_errors_exit_with_2_and_warnings_alone_with_1_if_strict(severities, strict, code, problem):
    assert exit_code([problem(severity=s) for s in severities], strict=strict) == code


def test_the_summary_counts_errors_warnings_and_files(problem):
    warning = problem("jobs/a/b.yaml", Severity.WARNING)

    assert summarise([warning]) == "1 warning in 1 file"
    assert summarise([warning, problem(), problem()]) == "2 errors and 1 warning in 2 files"


def test_the_contents_count_broken_jobs_and_tenants_without_an_entry_too(workspace):
    assert contents(workspace) == "4 jobs, 2 schedules, 3 tenants"
