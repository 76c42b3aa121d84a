"""`orchestrate breaker`: the group of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestration.cli.common import runner_option
from orchestration.cli.group import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Mapping

MEMBERS: Mapping[str, tuple[str, str]] = {
    "list": ("breaker.listing", "List the breakers: which are open, and when they are probed."),
    "reset": ("breaker.reset", "Close a breaker now, without a probe."),
}


@click.group(
    "breaker",
    cls=LazyGroup,
    members=MEMBERS,
    examples=("orchestrate breaker list",),
)
@runner_option
def command() -> None:
    """List and close circuit breakers.

    A breaker belongs to a tenant and a connector. It opens when attempts keep failing, and the
    schedules of the tenant's jobs with that connector skip until a run has found that it works.
    """
