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
}


@click.group(
    "retry",
    cls=LazyGroup,
    members=MEMBERS,
    examples=("orchestrate retry explain acme/airports --exit-code 2 --stderr 'connection reset'",),
)
@runner_option
def command() -> None:
    """Explain what follows a failed attempt, and why.

    Whether a job is repeated stands in its retry_config, over that of its connector and that of the
    whole workspace in runner.yaml.
    """
