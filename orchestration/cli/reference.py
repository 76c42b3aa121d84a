"""The page `docs/reference/cli.md`, made from the commands themselves.

`python -m orchestration.cli.reference > docs/reference/cli.md` writes it anew.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import ExampleCommand
from orchestration.cli.group import LazyGroup, cli

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEAD = """\
# The command `orchestrate`

<!-- Made by `python -m orchestration.cli.reference`; do not edit. -->

Every command explains itself with `--help`.
"""
_TAIL = """\
## Exit codes

| code | meaning |
| --- | --- |
| 0 | good; for `run`: succeeded; for `dev` and `up`: stopped by a signal, in order |
| 1 | `run`: partial success; `validate --strict` and `doctor`: warnings only |
| 2 | wrong input, or errors in the files; for `run`: failed or timed out; for `up`: a process ended too often; for `doctor`: something does not work |
| 3 | a bug in orchestrate; the traceback is in the file that the message names |
| 130, 143 | stopped by SIGINT (Ctrl-C) or SIGTERM |

## Environment variables

| variable | meaning |
| --- | --- |
| `ORCHESTRATE_RUNNER` | the runner.yaml to use where `--runner` is not given; every child process has it |
| `DAGSTER_HOME` | the folder of the Dagster instance, in place of `.orchestrate/dagster`; a `dagster.yaml` of your own in it is kept |
| `NO_COLOR` | any value: no colours |
| `TRACEPARENT` | `run` hands it on to the job, so that its traces join the caller's |

## Shell completion

Commands, options and the ids of jobs are completed once the shell has read the script that click
makes. Add the line of your shell to its start-up file:

```text
eval "$(_ORCHESTRATE_COMPLETE=bash_source orchestrate)"         # ~/.bashrc
eval "$(_ORCHESTRATE_COMPLETE=zsh_source orchestrate)"          # ~/.zshrc
_ORCHESTRATE_COMPLETE=fish_source orchestrate | source          # ~/.config/fish/config.fish
```
"""


def render_reference() -> str:
    """The text of the page."""
    root = click.Context(cli, info_name="orchestrate")
    parts = [_HEAD, *_describe(cli, root, cli.examples), *_describe_members(cli, root, "##")]
    return "\n".join([*parts, _TAIL])


def _describe_members(group: LazyGroup, parent: click.Context, mark: str) -> Iterator[str]:
    for name in group.members:
        command = group.get_command(parent, name)
        if isinstance(command, ExampleCommand | LazyGroup):
            context = click.Context(command, parent=parent, info_name=name)
            yield f"{mark} {context.command_path}\n"
            yield from _describe(command, context, command.examples)
            if isinstance(command, LazyGroup):
                yield from _describe_members(command, context, f"{mark}#")


def _describe(
    command: click.Command, context: click.Context, examples: Sequence[str]
) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{context.command_path} {usage}\n```\n"
    yield f"{_paragraphs(command.help or '')}\n"
    options = [
        record
        for parameter in command.params
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context))
    ]
    yield "| option | meaning |\n| --- | --- |"
    yield "".join(f"| `{names}` | {_cell(text)} |\n" for names, text in options)
    yield "Examples:\n\n```text\n" + "\n".join(examples) + "\n```\n"


def _paragraphs(text: str) -> str:
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(render_reference())
