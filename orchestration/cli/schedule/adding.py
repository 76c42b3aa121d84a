"""Adds an entry to runner.yaml, once it is known that the schedule will be right."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import read_workspace
from orchestration.cli.output import styled_problem
from orchestration.cli.schedule.edits import echo_diff, read_runner_text, write
from orchestration.cli.schedule.errors import RefusedScheduleError
from orchestration.cli.schedule.live import find_live
from orchestration.config import load_workspace
from orchestration.config.edit import add_schedule
from orchestration.config.files import Disk
from orchestration.config.words import suggest
from orchestration.connectors.registry import CATALOG
from orchestration.domain.describe import describe_schedule
from orchestration.domain.problem import format_problem
from orchestration.errors import UnknownJobError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.cli.schedule.edits import RunnerText
    from orchestration.cli.schedule.new_entry import NewEntry
    from orchestration.domain.problem import Problem
    from orchestration.domain.schedule import Schedule
    from orchestration.domain.workspace import Workspace

_SUFFIXES = (".yaml", ".yml")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")


class Draft(Disk):
    """The files of this machine, of which one has a text that is not saved yet."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = os.fspath(path)
        self._content = text.encode()

    def read(self, path: str) -> bytes:
        """The content of a file, that of the draft as it would be."""
        return self._content if path == self._path else super().read(path)


def add(file: Path, new: NewEntry, *, dry_run: bool) -> None:
    """Adds the entry, and says where it stands and when it fires.

    Raises:
        OrchestrationError: there is no such job, the schedule would be broken, or the file cannot
            be edited safely.
    """
    before = read_runner_text(file)
    workspace = read_workspace(file)
    config = find_config(workspace, new.job)
    name = new.name or choose_name(before, config)
    text = add_schedule(before.text, {"name": name, "config": config, **new.fields})
    after = before.with_text(text)
    schedule, warnings = _judge(workspace, after, name)
    for warning in warnings:
        click.echo(f"{styled_problem(warning)}\n", err=True)
    if dry_run:
        echo_diff(before, text)
        return
    write(before, text)
    place = f"{schedule.location.file}:{schedule.location.line}"
    click.echo(f"{place}: `{name}` added\n{describe_schedule(schedule)}")
    live = find_live(workspace.settings.state_directory)
    click.echo(
        f"It is in force as soon as {live.url} has loaded the file, which is watched."
        if live
        else "Nothing is up for this workspace; it counts from the next start."
    )


def find_config(workspace: Workspace, reference: str) -> str:
    """The path of the job file, from the root, of a job `tenant/name` or of a path.

    Raises:
        UnknownJobError: there is no such job.
    """
    jobs = {job.id: job.location.file for job in (*workspace.broken_jobs, *workspace.jobs)}
    if reference in jobs:
        return jobs[reference]
    if reference.endswith(_SUFFIXES):
        path = Path.cwd() / reference
        path = path if path.is_file() else workspace.root / reference
        normal = Path(os.path.normpath(path))
        inside = normal.is_relative_to(workspace.root)
        return normal.relative_to(workspace.root).as_posix() if inside else str(normal)
    raise UnknownJobError(
        f"there is no job `{reference}`",
        help=f"{suggest(reference, jobs)} `orchestrate list jobs` shows all".lstrip(),
    )


def choose_name(before: RunnerText, config: str) -> str:
    """A name that no schedule has yet: `acme_orders` of `jobs/acme/orders.yaml`, else with a number
    after it.
    """
    parts = Path(config).with_suffix("").parts
    stem = _NOT_IN_NAMES.sub("_", "_".join(parts[1:] if parts[0] == "jobs" else parts)).strip("_")
    taken = {entry.name for entry in before.entries}
    if stem not in taken:
        return stem
    return next(name for n in range(2, len(taken) + 3) if (name := f"{stem}_{n}") not in taken)


def _judge(
    workspace: Workspace, after: RunnerText, name: str
) -> tuple[Schedule, Sequence[Problem]]:
    """The schedule that the new entry becomes, and the warnings about it.

    Raises:
        RefusedScheduleError: it becomes none, or it breaks what was right.
    """
    file, files = after.file, Draft(after.file, after.text)
    drafted = load_workspace(file, environ=os.environ, catalog=CATALOG, files=files)
    entry = after.find(name)
    own = [p for p in drafted.problems if entry.holds(p.location)]
    schedule = next((s for s in drafted.schedules if s.name == name), None)
    known = {(p.code, p.message) for p in workspace.problems}
    broken = [p for p in drafted.problems if p.is_error and (p.code, p.message) not in known]
    if schedule is None or broken:
        causes = broken or own or [p for p in drafted.problems if p.is_error]
        shown = "\n".join(format_problem(problem) for problem in causes)
        raise RefusedScheduleError(
            f"the schedule `{name}` would be broken, so nothing was written:\n{shown}",
            help="correct what the lines above name, and repeat the command",
        )
    return schedule, [problem for problem in own if not problem.is_error]
