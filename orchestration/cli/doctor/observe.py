"""Asks everything that the checks judge; changes nothing."""

from __future__ import annotations

import json
import platform
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from orchestration.cli.dev.database import check_database
from orchestration.cli.dev.home import Home, find_dagster_home, find_instance
from orchestration.cli.dev.ui import Ui, UiUnreachableError
from orchestration.cli.doctor.observed import QUERY, Observed, parse_live
from orchestration.cli.doctor.schedules import due_ticks, has_answered
from orchestration.cli.errors import DatabaseError, NoInstanceError
from orchestration.cli.holds import NO_HOLDS, Holds, find_holds
from orchestration.cli.lookup import view_workspace
from orchestration.cli.retry.waits import list_waiting, open_instance
from orchestration.defs import tags
from orchestration.defs.index import INDEX_NAME, build_index, read_index
from orchestration.domain.secrets import FileSecrets
from orchestration.errors import OrchestrationError
from orchestration.runner.secrets import open_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestration.cli.dev.home import Instance
    from orchestration.cli.retry.waits import Waiting
    from orchestration.domain.schedule import Schedule
    from orchestration.domain.workspace import Settings, Workspace

_TIMEOUT_SECONDS: Final = 60.0
_AT_ONCE: Final = 50
_ABSENT: Final = "ORCHESTRATE_DOCTOR"


def observe(runner_file: Path, environ: Mapping[str, str]) -> Observed:
    """What there is to know of the workspace and of what runs for it."""
    workspace = view_workspace(runner_file)
    state = workspace.settings.state_directory
    instance = _find_instance(state)
    home = Home(
        state=state,
        dagster=find_dagster_home(state, environ),
        socket=Path(instance.socket) if instance else state / "code-server.sock",
    )
    index = state / INDEX_NAME
    seen = Observed(
        now=datetime.now(UTC),
        workspace=workspace,
        wanted=build_index(workspace),
        home=home,
        instance=instance,
        installed=_installed(),
        index=read_index(index),
        newest_file=max(filter(None, map(_changed, workspace.watched)), default=None),
        indexed=_changed(index),
        settings_text=_read(home.dagster / "dagster.yaml"),
        free_bytes=_free_bytes(state, home.dagster),
        secrets=dict(_ask_secrets(workspace)),
        database=_ask_database(workspace.settings, environ),
        holds=_ask_holds(workspace, environ),
    )
    seen = _ask_instance(seen, instance) if instance else seen
    has_waits = seen.live is not None and seen.live.has_waits
    return replace(seen, waits=_ask_waits(workspace, environ)) if has_waits else seen


def _find_instance(state: Path) -> Instance | None:
    try:
        return find_instance(state)
    except NoInstanceError:
        return None


def _ask_instance(seen: Observed, instance: Instance) -> Observed:
    address = urlsplit(instance.url)
    ui = Ui(
        host=address.hostname or "localhost",
        port=address.port or 80,
        timeout_seconds=_TIMEOUT_SECONDS,
    )
    try:
        live = parse_live(ui.query(QUERY, {}))
        suspects = [
            (schedule, tick)
            for schedule, tick in due_ticks(seen, live)
            if not has_answered(schedule, live.schedules[schedule.name], tick)
        ]
        return replace(seen, live=replace(live, launched=_ask_runs(ui, suspects)))
    except UiUnreachableError as error:
        return replace(seen, unreachable=str(error))


def _ask_runs(ui: Ui, suspects: Sequence[tuple[Schedule, datetime]]) -> frozenset[str]:
    """The names of those that have launched a run since their tick."""
    found: set[str] = set()
    for first in range(0, len(suspects), _AT_ONCE):
        some = suspects[first : first + _AT_ONCE]
        answer = ui.query(_runs_query(some), {})
        found |= {s.name for n, (s, _) in enumerate(some) if answer[f"r{n}"].get("results")}
    return frozenset(found)


def _runs_query(some: Iterable[tuple[Schedule, datetime]]) -> str:
    key = json.dumps(tags.SCHEDULE)
    parts = [
        f"r{n}: runsOrError(limit: 1, filter: {{createdAfter: {tick.timestamp()}, tags:"
        f" [{{key: {key}, value: {json.dumps(schedule.name)}}}]}})"
        " { ... on Runs { results { runId } } }"
        for n, (schedule, tick) in enumerate(some)
    ]
    return f"{{ {' '.join(parts)} }}"


def _installed() -> dict[str, str]:
    found = {d.metadata["Name"]: d.version for d in distributions()}
    family = {name: v for name, v in found.items() if name.startswith("dagster")}
    return {**family, "python": platform.python_version()}


def _ask_secrets(workspace: Workspace) -> Iterable[tuple[str, OrchestrationError | None]]:
    """What is wrong with the files of each tenant that has some."""
    for tenant in workspace.tenants.values():
        if isinstance(tenant.secrets, FileSecrets):
            yield tenant.name, _read_secrets(tenant.secrets)


def _read_secrets(source: FileSecrets) -> OrchestrationError | None:
    provider = open_secrets(source, {})
    try:
        provider.find(_ABSENT)
        if source.path.is_dir():
            for member in source.path.iterdir():
                if member.is_file():
                    provider.find(member.name)
    except OrchestrationError as error:
        return error
    return None


def _ask_database(settings: Settings, environ: Mapping[str, str]) -> OrchestrationError | None:
    try:
        check_database(settings, environ)
    except DatabaseError as error:
        return error
    return None


def _ask_holds(workspace: Workspace, environ: Mapping[str, str]) -> Holds:
    try:
        return find_holds(workspace, environ)
    except DatabaseError:  # which another check tells
        return NO_HOLDS


def _ask_waits(workspace: Workspace, environ: Mapping[str, str]) -> tuple[Waiting, ...]:
    try:
        with open_instance(workspace, environ) as instance:
            return tuple(list_waiting(instance)) if instance else ()
    except DatabaseError:  # which another check tells
        return ()


def _changed(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def _free_bytes(*folders: Path) -> dict[Path, int]:
    """Of the disks that the folders are on, or will be; the first folder on each stands for it."""
    found: dict[int, tuple[Path, int]] = {}
    for folder in folders:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        disk = existing.stat().st_dev
        found.setdefault(disk, (folder, shutil.disk_usage(existing).free))
    return dict(found.values())
