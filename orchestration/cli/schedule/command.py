"""`orchestrate schedule`: the group of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestration.cli.common import runner_option
from orchestration.cli.group import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Mapping

MEMBERS: Mapping[str, tuple[str, str]] = {
    "list": ("schedule.listing", "List the schedules: when each runs next, or why it will not."),
    "preview": ("schedule.preview", "Show the ticks of a schedule between two instants."),
    "enable": ("schedule.enable", "Let schedules fire: edits runner.yaml."),
    "disable": ("schedule.disable", "Keep schedules from firing: edits runner.yaml."),
    "resume": ("schedule.resume", "Let schedules fire again that failures have paused."),
    "add": ("schedule.add", "Add a schedule to runner.yaml."),
    "remove": ("schedule.remove", "Remove schedules from runner.yaml."),
}


@click.group(
    "schedule",
    cls=LazyGroup,
    members=MEMBERS,
    examples=(
        "orchestrate schedule list",
        "orchestrate schedule list --next 3 --tenant acme",
    ),
)
@runner_option
def command() -> None:
    """List, preview, switch, resume, add and remove schedules.

    Schedules stand in runner.yaml. The commands that change it keep its comments and its layout,
    and write it as a whole or not at all.
    """
