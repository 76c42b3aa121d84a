"""`orchestrate retry`: the group of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestration.cli.common import runner_option
from orchestration.cli.group import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Mapping

MEMBERS: Mapping[str, tuple[str, str]] = {
    "explain": ("retry.explain", "Show what would follow a failure of a job, and why."),
    "list": ("retry.listing", "List the runs that wait for a retry in a new run."),
    "cancel": ("retry.cancel", "Take back a retry that has not started yet."),
}


@click.group(
    "retry",
    cls=LazyGroup,
    members=MEMBERS,
    examples=(
        "orchestrate retry explain acme/airports --exit-code 2 --stderr 'connection reset'",
        "orchestrate retry list",
    ),
)
@runner_option
def command() -> None:
    """Explain, list and cancel retries.

    Whether a job is repeated stands in its retry_config, over that of its connector and that of the
    whole workspace in runner.yaml.
    """
