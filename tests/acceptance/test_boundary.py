import stat

import click
import pytest

from orchestration import __version__
from orchestration.cli.boundary import run_cli


@click.command()
@click.option("--env", "-e", multiple=True)
@click.argument("job", default="")
def failing(env, job):
    raise ZeroDivisionError(f"no number of {len(''.join(env))} is right")


def test_a_bug_exits_with_3_and_its_traceback_is_in_a_file_without_secrets(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".orchestrate").mkdir()

    code = run_cli(["--env", "TOKEN=hunter22"], failing)

    [crash] = (tmp_path / ".orchestrate/logs").iterdir()
    captured = capsys.readouterr()
    assert (code, captured.out) == (3, "")
    assert captured.err == (
        f"error ORC600: a bug in orchestrate {__version__} (ZeroDivisionError: no number of 14 is"
        f" right)\n   help: the traceback is in {crash}; report it with the command that you ran\n"
    )
    text = crash.read_text()
    assert text.splitlines()[1] == "orchestrate --env TOKEN=..."
    assert text.endswith("ZeroDivisionError: no number of 14 is right\n")
    assert "hunter22" not in text
    assert stat.S_IMODE(crash.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--env", "A=hunter22=", "-e", "B=hunter22"], "--env A=... -e B=..."),
        (["--env", "hunter22", "-e", "hunter22 B=x"], "--env ... -e ..."),
        (["--env", "hunter22=="], "--env ..."),
        (["--env=A=hunter22", "-eB=hunter22"], "--env=... -eB=..."),
        (["acme/orders", "--env", "A=hunter22"], "acme/orders --env A=..."),
    ],
)
def test_a_crash_file_shows_no_value_of_a_variable(tmp_path, monkeypatch, capsys, arguments, shown):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".orchestrate").mkdir()

    run_cli(arguments, failing)

    [crash] = (tmp_path / ".orchestrate/logs").iterdir()
    assert crash.read_text().splitlines()[1] == f"orchestrate {shown}"
