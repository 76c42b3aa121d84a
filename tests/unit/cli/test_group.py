import click
import pytest

from orchestration.cli.common import ExampleCommand
from orchestration.cli.group import COMMANDS, LazyGroup, cli


def load(name):
    return cli.get_command(click.Context(cli), name)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_in_the_list_is_the_first_line_of_the_commands_help(name):
    assert load(name).help.splitlines()[0] == COMMANDS[name][1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_examples_that_call_it(name):
    command = load(name)

    assert isinstance(command, ExampleCommand | LazyGroup)
    assert command.examples
    assert all(example.startswith(f"orchestrate {name}") for example in command.examples)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name):
    options = [p for p in load(name).params if isinstance(p, click.Option)]

    assert [option.name for option in options if not option.help] == []


def test_an_unknown_command_is_refused_with_a_suggestion():
    with pytest.raises(click.UsageError) as caught:
        cli.main(["vladate"], standalone_mode=False)

    assert caught.value.message == "there is no command `vladate`; did you mean `validate`?"


def test_an_unknown_command_that_resembles_none_is_refused_with_all_of_them():
    with pytest.raises(click.UsageError) as caught:
        cli.main(["qqqq"], standalone_mode=False)

    assert caught.value.message == (
        f"there is no command `qqqq`; choose one of {', '.join(COMMANDS)}"
    )
