"""Every example in a help text, and so in the command line reference, works as it stands."""

import os
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from orchestration.cli.group import LazyGroup, cli

ROOT = Path(__file__).parents[2]
SERVERS = ("dev", "up", "reload", "doctor")  # they are, or need, a service: see their own tests

# There has to be a dead letter, a checkpoint, a waiting retry, a breaker: see their own tests.
ELSEWHERE = (
    "orchestrate dlq show ",
    "orchestrate checkpoint ",
    "echo 100 | orchestrate checkpoint ",
    "orchestrate retry cancel ",
    "orchestrate breaker reset ",
)


def examples(group=cli):
    context = click.Context(group)
    for name in group.list_commands(context):
        if name not in SERVERS:
            command = group.get_command(context, name)
            yield from (one for one in command.examples if not one.startswith(ELSEWHERE))
            yield from examples(command) if isinstance(command, LazyGroup) else ()


@pytest.mark.parametrize("example", list(examples()))
def test_an_example_of_a_help_text_works_in_the_example_workspace(tmp_path, example):
    shutil.copy(ROOT / "runner.yaml", tmp_path)
    shutil.copytree(ROOT / "jobs", tmp_path / "jobs")
    environ = {"PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}", "HOME": str(tmp_path)}

    done = subprocess.run(
        ["sh", "-c", example],
        cwd=tmp_path,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stderr if done.returncode else "") == (0, "")
