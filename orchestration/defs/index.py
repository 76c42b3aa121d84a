"""The index of a loaded workspace: what other processes need to know without reading all files.

The code server writes it at each load. A run worker takes the job of its asset from it, so that it
runs what the code server showed, and reads one value in place of all files. The run coordinator
takes tenants, jobs and limits from it.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.defs import tags
from orchestration.domain.job import Job
from orchestration.domain.limits import Priority
from orchestration.domain.workspace import Settings, Tenant, Workspace

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pydantic import TypeAdapter

INDEX_NAME = "index.json"
_FORMAT = 5
_SLACK = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """What the coordinator needs to know of a job: its tags, the connectors at its ends, the rank
    of its tenant's priority, and the longest that a run of it may take in seconds.
    """

    job_id: str
    tenant: str
    tags: dict[str, str]
    connectors: list[str]
    priority: int
    max_runtime_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceIndex:
    """Jobs by asset key (its parts joined by `/`), and the limits that hold for all processes.

    `limits` maps a tag key to the number of runs carrying it that may be under way at once.
    `max_runtime_seconds` is the longest that a run may take which covers none of the jobs.
    `enabled_since` says of each enabled schedule when a load first found it so (ISO 8601; None if
    that was before anything is known).
    `stored` holds the jobs themselves and what they share, as JSON values.
    """

    jobs: Mapping[str, IndexEntry]
    limits: Mapping[str, int]
    max_concurrent_runs: int | None
    max_runtime_seconds: int
    enabled_since: Mapping[str, str | None]
    stored: Mapping[str, Any]

    def starts(self) -> dict[str, datetime]:
        """Since when each schedule is enabled, where that is known."""
        since = self.enabled_since.items()
        return {name: datetime.fromisoformat(text) for name, text in since if text}

    def restrict(self, keys: Collection[tuple[str, ...]]) -> Workspace | None:
        """A workspace of just the jobs with these asset keys; None if one of them is not here."""
        names = ["/".join(key) for key in keys]
        stored = self.stored["jobs"]
        if not all(name in stored for name in names):
            return None
        read = _adapter(Job).validate_python
        return Workspace(
            root=Path(self.stored["root"]),
            runner_file=Path(self.stored["runner_file"]),
            settings=_adapter(Settings).validate_python(self.stored["settings"]),
            tenants=_adapter(dict[str, Tenant]).validate_python(self.stored["tenants"]),
            jobs=tuple(read(stored[name]) for name in names),
            is_sound=self.stored["is_sound"],
        )


def build_index(
    workspace: Workspace, *, before: WorkspaceIndex | None = None, now: datetime | None = None
) -> WorkspaceIndex:
    """The index of a workspace: its healthy jobs, and all limits.

    `before` is the index of the load before this one: what was enabled there still is, what was
    not is so since `now`.
    """
    known: Mapping[str, str | None] = before.enabled_since if before else {}
    stamp = (now or datetime.now(UTC)).isoformat() if before else None
    enabled = [schedule.name for schedule in workspace.schedules if schedule.enabled]
    return WorkspaceIndex(
        jobs={"/".join(job.asset_key): _entry(job, workspace) for job in workspace.jobs},
        limits=_limits(workspace),
        max_concurrent_runs=workspace.settings.max_concurrent_runs,
        max_runtime_seconds=_max_runtime(workspace.settings.run_timeout),
        enabled_since={name: known.get(name, stamp) for name in enabled},
        stored=_stored(workspace),
    )


def write_index(index: WorkspaceIndex, path: Path) -> None:
    """Write the index so that a reader sees the old or the new one, never a part of it.

    Only the user can read it: options of jobs may hold what a careless hand wrote there.
    """
    entries = {key: asdict(entry) for key, entry in index.jobs.items()}
    shallow = {field.name: getattr(index, field.name) for field in fields(index)}
    text = json.dumps({"format": _FORMAT, **shallow, "jobs": entries})
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(temporary).replace(path)


def refresh_limits(workspace: Workspace, path: Path) -> None:
    """Put the limits of the workspace into the index ahead of its definitions, which take longer."""
    index = read_index(path)
    if index is not None and workspace.is_sound:
        most = workspace.settings.max_concurrent_runs
        write_index(replace(index, limits=_limits(workspace), max_concurrent_runs=most), path)


def read_index(path: Path) -> WorkspaceIndex | None:
    """The index at `path`; None where there is none, or one of another format."""
    try:
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    if raw.pop("format", None) != _FORMAT:
        return None
    entries = {key: IndexEntry(**entry) for key, entry in raw.pop("jobs").items()}
    return WorkspaceIndex(jobs=entries, **raw)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _stored(workspace: Workspace) -> dict[str, Any]:
    job = _adapter(Job)
    return {
        "root": str(workspace.root),
        "runner_file": str(workspace.runner_file),
        "is_sound": workspace.is_sound,
        "settings": _adapter(Settings).dump_python(workspace.settings, mode="json"),
        "tenants": _adapter(dict[str, Tenant]).dump_python(dict(workspace.tenants), mode="json"),
        "jobs": {"/".join(j.asset_key): job.dump_python(j, mode="json") for j in workspace.jobs},
    }


def _limits(workspace: Workspace) -> dict[str, int]:
    tenants = {job.tenant for job in workspace.jobs}
    limits = {tags.tenant_slot(tenant): _tenant_limit(workspace, tenant) for tenant in tenants}
    limits |= {tags.job_slot(job.id): 1 for job in workspace.jobs}
    for schedule in filter(lambda schedule: schedule.enabled, workspace.schedules):
        slot = tags.job_slot(schedule.job_id)
        limits[slot] = max(limits.get(slot, 1), schedule.max_concurrent_runs)
    connectors = workspace.settings.connector_limits
    return limits | {tags.connector_slot(name): limit for name, limit in connectors.items()}


def _tenant_limit(workspace: Workspace, tenant: str) -> int:
    declared = workspace.tenants.get(tenant)
    return declared.concurrency if declared else workspace.settings.concurrency_per_tenant


def _entry(job: Job, workspace: Workspace) -> IndexEntry:
    tenant = workspace.tenants.get(job.tenant)
    ends = (job.source_connector, job.target_connector)
    return IndexEntry(
        job_id=job.id,
        tenant=job.tenant,
        tags=tags.job_tags(job),
        connectors=sorted({end for end in ends if end}),
        priority=(tenant.priority if tenant else Priority.NORMAL).rank,
        max_runtime_seconds=_max_runtime(
            (job.run_timeout or workspace.settings.run_timeout) + job.grace_period
        ),
    )


def _max_runtime(run_timeout: timedelta) -> int:
    """When Dagster's monitoring ends a run that should have ended itself, in seconds."""
    return round((run_timeout + _SLACK).total_seconds())
