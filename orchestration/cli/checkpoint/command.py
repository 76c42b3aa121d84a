"""`orchestrate checkpoint`: the group of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestration.cli.common import runner_option
from orchestration.cli.group import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Mapping

MEMBERS: Mapping[str, tuple[str, str]] = {
    "show": ("checkpoint.show", "Print the checkpoint of a job."),
    "history": ("checkpoint.history", "List the last versions of the checkpoint of a job."),
    "set": ("checkpoint.set", "Make the content of a file the checkpoint of a job."),
    "reset": ("checkpoint.reset", "Make a job begin anew."),
}


@click.group(
    "checkpoint",
    cls=LazyGroup,
    members=MEMBERS,
    examples=(
        "orchestrate checkpoint show acme/events",
        "orchestrate checkpoint reset acme/events --yes",
    ),
)
@runner_option
def command() -> None:
    """Show, set and reset what command jobs remember.

    A command gets its checkpoint in the file that ORCHESTRATE_CHECKPOINT names, and leaves a new one
    at ORCHESTRATE_CHECKPOINT_NEXT. Connector jobs remember in their target.
    """
