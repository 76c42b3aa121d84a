"""What `enable` and `disable` have in common."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from orchestration.cli.schedule.edits import echo_diff, read_runner_text, write
from orchestration.cli.schedule.live import find_live
from orchestration.config import find_state_directory
from orchestration.config.edit import set_enabled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from orchestration.cli.schedule.live import Live


def switch(file: Path, names: Sequence[str], *, enabled: bool, dry_run: bool) -> None:
    """Sets `enabled` of all named schedules, or of none if one of them is unknown.

    Raises:
        OrchestrationError: a name is unknown, or the file cannot be edited safely.
    """
    before = read_runner_text(file)
    chosen = [before.find(name) for name in dict.fromkeys(names)]
    changed = [entry for entry in chosen if entry.enabled is not enabled]
    for entry in chosen:
        if entry not in changed:
            place = f"{entry.switch.file}:{entry.switch.line}"
            click.echo(f"{place}: `{entry.name}` is {_word(enabled)} already")
    if not changed:
        return
    text = before.text
    for entry in changed:
        text = set_enabled(text, str(entry.name), enabled)
    if dry_run:
        echo_diff(before, text)
        return
    write(before, text)
    after = before.with_text(text)
    for entry in changed:
        place = after.find(str(entry.name)).switch
        value = str(enabled).lower()
        click.echo(
            f"{place.file}:{place.line}: `{entry.name}` {_word(enabled)}, `enabled: {value}`"
        )
    live = find_live(find_state_directory(file, os.environ))
    click.echo(describe_effect(live, [str(entry.name) for entry in changed], enabled=enabled))


def describe_effect(live: Live | None, names: Sequence[str], *, enabled: bool) -> str:
    """When the new setting is in force."""
    if live is None:
        return "Nothing is up for this workspace; it counts from the next start."
    if not enabled:
        return f"It is in force at the next tick; {live.url} is up."
    lines = [f"It is in force as soon as {live.url} has loaded the file, which is watched."]
    switches = live.switches or {}
    lines += [
        f"`{name}` stays paused: somebody has switched it off in the UI."
        for name in names
        if name in switches and switches[name].by_hand and not switches[name].is_on
    ]
    return "\n".join(lines)


def _word(enabled: bool) -> str:  # noqa: FBT001 - private, one value
    return "enabled" if enabled else "disabled"
