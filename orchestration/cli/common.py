"""What several commands share: examples in their help, `--runner`, and loading the workspace."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestration.config import LastGood
    from orchestration.domain.workspace import Workspace

_F = TypeVar("_F", bound="Callable[..., Any]")
_RUNNER = "orchestration.runner"


class ExampleCommand(click.Command):
    """A command whose help ends with examples, each a command line that works as it stands."""

    def __init__(self, *args: Any, examples: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the examples, then the epilog if there is one."""
        write_examples(self.examples, formatter)
        super().format_epilog(ctx, formatter)


def write_examples(examples: Sequence[str], formatter: click.HelpFormatter) -> None:
    """Writes the section `Examples` of a help text, one command a line."""
    with formatter.section("Examples"):
        for example in examples:
            formatter.write(f"{'':{formatter.current_indent}}{example}\n")


def runner_option(command: _F) -> _F:
    """Adds `--runner PATH` to a command; it counts before the command's name as well as after."""
    return click.option(
        "--runner",
        metavar="PATH",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_remember,
        help="The runner.yaml to use, in place of the one in the current folder.",
    )(command)


def _remember(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.meta[_RUNNER] = value


def format_option(*styles: str) -> Callable[[_F], _F]:
    """Adds `--format` to a command, which gets it as `style`: the first for people, and the default,
    the others for scripts.
    """
    people = "A table for people" if styles[0] == "table" else "For people"
    scripts = " or ".join(style.upper() for style in styles[1:])
    return click.option(
        "--format",
        "style",
        type=click.Choice(styles),
        default=styles[0],
        show_default=True,
        help=f"{people}, {scripts} for scripts.",
    )


def runner_file() -> Path:
    """The runner.yaml of this command: `--runner`, `ORCHESTRATE_RUNNER`, or of the current folder.

    Raises:
        WorkspaceNotFoundError: it does not exist.
    """
    from orchestration.config import find_runner_file

    explicit: Path | None = click.get_current_context().meta.get(_RUNNER)
    return find_runner_file(explicit, os.environ, Path.cwd())


def read_workspace(file: Path, *, last_good: LastGood | None = None) -> Workspace:
    """The workspace as its files are now; `last_good` stands in for what is broken."""
    from orchestration.config import load_workspace
    from orchestration.connectors.registry import CATALOG

    return load_workspace(file, environ=os.environ, catalog=CATALOG, last_good=last_good)


def read_served_workspace(file: Path) -> Workspace:
    """The workspace as a code server serves it: broken files as they were when they last loaded."""
    from orchestration.config import LastGood

    return read_workspace(file, last_good=LastGood.of(file, os.environ))
