import pytest

from orchestration.cli.boundary import run_cli


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["--nonsense"], 2), ([], 2)])
def test_the_exit_code_says_whether_the_command_line_was_right(arguments, code, capsys):
    assert run_cli(arguments) == code


def test_a_wrong_option_is_explained_on_stderr(capsys):
    run_cli(["schema", "rnner"])

    assert capsys.readouterr().err.splitlines()[-1] == (
        "Error: Invalid value for '{runner|job}': 'rnner' is not one of 'runner', 'job'."
    )
