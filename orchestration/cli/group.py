"""The root of `orchestrate`, which imports a command only when that command is used."""

from __future__ import annotations

import difflib
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import click

from orchestration import __version__
from orchestration.cli.common import runner_option, write_examples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMMANDS: Mapping[str, tuple[str, str]] = {
    "dev": ("dev.command", "Start the UI and the scheduler, and load every change."),
    "up": ("up.command", "Start the UI and the scheduler as a service, and keep them running."),
    "run": ("run", "Run one job now, in this process."),
    "validate": ("validate", "Check runner.yaml and all job files without running anything."),
    "list": ("listing", "List jobs, schedules or tenants."),
    "schedule": ("schedule.command", "List, preview, switch, resume, add and remove schedules."),
    "retry": ("retry.command", "Explain, list and cancel retries."),
    "checkpoint": ("checkpoint.command", "Show, set and reset what command jobs remember."),
    "breaker": ("breaker.command", "List and close circuit breakers."),
    "dlq": ("dlq.command", "List, show, replay and drop dead letters."),
    "doctor": ("doctor.command", "Check what is running against the files, and the machine."),
    "schema": ("schema", "Print the JSON Schema of runner.yaml or of a job file."),
    "reload": ("reload", "Make the running `orchestrate dev` or `up` read the files again."),
}
"""Each command's module below `orchestration.cli`, which holds it as `command`, and its summary."""


class LazyGroup(click.Group):
    """A group that knows its commands by name, so that help needs none of their modules.

    `members` are the commands, as in `COMMANDS`.
    """

    def __init__(
        self,
        *args: Any,
        members: Mapping[str, tuple[str, str]],
        examples: Sequence[str],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.members = members
        self.examples = tuple(examples)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order in which a newcomer meets them."""
        del ctx
        return list(self.members)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None if there is none of that name."""
        del ctx
        if cmd_name not in self.members:
            return None
        module = import_module(f"orchestration.cli.{self.members[cmd_name][0]}")
        return cast("click.Command", module.command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name, and the rest of them; an error with a suggestion."""
        if args[0] not in self.members and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], self.members, n=1)
            names = ", ".join(self.members)
            cure = f"did you mean `{close[0]}`?" if close else f"choose one of {names}"
            ctx.fail(f"there is no command `{args[0]}`; {cure}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands from their summaries."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self.members.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the examples and the exit codes."""
        write_examples(self.examples, formatter)
        super().format_epilog(ctx, formatter)


@click.group(
    cls=LazyGroup,
    members=COMMANDS,
    examples=(
        "orchestrate dev",
        "orchestrate validate",
        "orchestrate run acme/airports",
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 good, 1 warnings or partial success, 2 wrong input or failure, 3 a bug in"
    " orchestrate, 130 and 143 stopped by a signal.",
)
@runner_option
@click.version_option(__version__, prog_name="orchestrate", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Ingestion jobs written in YAML, run and scheduled by Dagster.

    The workspace is the runner.yaml of the current folder, unless --runner or the environment
    variable ORCHESTRATE_RUNNER names another one.
    """
    if os.environ.get("NO_COLOR"):
        ctx.color = False
