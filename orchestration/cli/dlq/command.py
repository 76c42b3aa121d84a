"""`orchestrate dlq`: the group of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestration.cli.common import runner_option
from orchestration.cli.group import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Mapping

MEMBERS: Mapping[str, tuple[str, str]] = {
    "list": ("dlq.listing", "List dead letters, those that were seen last first."),
    "show": ("dlq.show", "Show one dead letter with its record."),
    "replay": ("dlq.replay", "Load dead letters again, through the target of their job."),
    "drop": ("dlq.drop", "Delete dead letters."),
}


@click.group(
    "dlq",
    cls=LazyGroup,
    members=MEMBERS,
    examples=(
        "orchestrate dlq list --tenant acme",
        "orchestrate dlq replay --job acme/airports --dry-run",
    ),
)
@runner_option
def command() -> None:
    """List, show, replay and drop dead letters.

    A dead letter is a record that a connector job could not read, or that broke its asset
    definition. It lies in the target of the job, committed together with the records that were good.
    """
