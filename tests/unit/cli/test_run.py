from datetime import timedelta
from pathlib import Path

import click
import pytest

from orchestration.cli.run import command, plain_argv
from orchestration.domain.job import CommandTask
from orchestration.runner import ProcessSpec


def parse_env(*values):
    context = click.Context(command, info_name="run")
    arguments = ["acme/orders", *(word for value in values for word in ("--env", value))]
    command.parse_args(context, arguments)
    return context.params["overrides"]


def test_env_takes_what_stands_after_the_first_equals_sign():
    assert parse_env("A=1", "B=x=y", "C=", "A=2") == {"A": "2", "B": "x=y", "C": ""}


@pytest.mark.parametrize("value", ["secret-without-name", "1A=x", "A B=x"])
def test_env_refuses_what_is_no_assignment_without_showing_its_value(value):
    with pytest.raises(click.BadParameter) as caught:
        parse_env(value)

    assert caught.value.message == f"`{value.partition('=')[0]}` is no NAME=VALUE"


def test_the_plan_of_a_command_shows_references_and_not_what_they_stand_for(job):
    task = CommandTask(command=("load", "--token=${TOKEN}"), working_directory=Path("/srv"))
    spec = ProcessSpec(
        argv=("load", "--token=hunter22"),
        working_directory=Path("/srv"),
        environ={},
        timeout=timedelta(seconds=1),
    )

    assert plain_argv(job("acme", "orders", task=task), spec) == ("load", "--token=${TOKEN}")
