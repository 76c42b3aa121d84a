"""Everything that a workspace is in Dagster, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from orchestration.defs.assets import KindOf, build_asset
from orchestration.defs.faults import (
    Reload,
    build_check,
    build_fault_sensor,
    build_placeholder,
    find_faults,
)
from orchestration.defs.repository import Contents
from orchestration.defs.retries import build_retry_sensor
from orchestration.defs.schedules import Gate, build_schedule
from orchestration.defs.sensors import build_sensor
from orchestration.defs.tags import TENANT
from orchestration.domain.describe import is_sensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from orchestration.domain.job import Job
    from orchestration.domain.schedule import Schedule
    from orchestration.domain.workspace import Workspace


_UNKNOWN: Mapping[str, datetime] = {}


def build_definitions(
    workspace: Workspace,
    *,
    gate: Gate,
    reload: Reload,
    kind_of: KindOf,
    enabled_since: Mapping[str, datetime] = _UNKNOWN,
) -> dg.Definitions:
    """The Dagster definitions of a workspace.

    One asset a job, one asset job a tenant (a job for each schedule would make loading quadratic),
    one schedule or sensor an entry, and a visible fault for whatever is broken. `gate` is asked at
    each tick whether a schedule is enabled, `enabled_since` says when it became so, as far as that
    is known; `reload` reads the files anew for the `config_valid` checks, `kind_of` gives the
    connectors their icons.
    """
    contents = build_contents(
        workspace, gate=gate, reload=reload, kind_of=kind_of, enabled_since=enabled_since
    )
    jobs = [job for job, _ in contents.tenant_jobs.values()]
    whole = dg.Definitions(jobs=jobs, schedules=contents.schedules, sensors=contents.sensors)
    return dg.Definitions.merge(contents.definitions, whole)


def build_contents(
    workspace: Workspace,
    *,
    gate: Gate,
    reload: Reload,
    kind_of: KindOf,
    enabled_since: Mapping[str, datetime] = _UNKNOWN,
) -> Contents:
    """The same in the form in which `WorkspaceRepository` loads it in time linear in the jobs."""
    assets = build_assets(workspace, kind_of)
    faults = find_faults(workspace)
    placeholders = [build_placeholder(f, workspace.root) for f in faults if f.placeholder]
    definitions = dg.Definitions(
        assets=[*assets, *placeholders],
        asset_checks=[build_check(fault, reload) for fault in faults],
        sensors=[build_fault_sensor(faults)] if faults else [],
        executor=dg.in_process_executor,
    )
    runnable = list(_runnable(workspace))
    tenant_jobs = build_tenant_jobs(workspace.jobs, assets)
    return Contents(
        definitions=definitions,
        schedules=[
            build_schedule(schedule, job, gate, enabled_since.get(schedule.name))
            for schedule, job in runnable
            if not is_sensor(schedule)
        ],
        sensors=[
            build_sensor(schedule, job, gate, enabled_since.get(schedule.name))
            for schedule, job in runnable
            if is_sensor(schedule)
        ]
        + [_retry_sensor(workspace, tenant_jobs)],
        tenant_jobs=tenant_jobs,
    )


def build_assets(workspace: Workspace, kind_of: KindOf) -> list[dg.AssetsDefinition]:
    """The asset of each healthy job, in the order of the workspace."""
    schedules: dict[str, list[Schedule]] = {}
    for schedule in workspace.schedules:
        schedules.setdefault(schedule.job_id, []).append(schedule)
    return [
        build_asset(job, workspace, schedules.get(job.id, []), kind_of) for job in workspace.jobs
    ]


def build_tenant_jobs(
    jobs: Sequence[Job], assets: Sequence[dg.AssetsDefinition]
) -> dict[str, tuple[dg.UnresolvedAssetJobDefinition, Sequence[dg.AssetsDefinition]]]:
    """One asset job a tenant, named as the tenant, beside the assets that it covers."""
    by_tenant: dict[str, list[dg.AssetsDefinition]] = {}
    for job, asset in zip(jobs, assets, strict=True):
        by_tenant.setdefault(job.tenant, []).append(asset)
    return {tenant: (_tenant_job(tenant, mine), mine) for tenant, mine in by_tenant.items()}


def _tenant_job(
    tenant: str, assets: Sequence[dg.AssetsDefinition]
) -> dg.UnresolvedAssetJobDefinition:
    return dg.define_asset_job(  # pyright: ignore[reportUnknownMemberType] - dagster types it in part
        name=tenant,
        selection=dg.AssetSelection.assets(*(asset.key for asset in assets)),
        description=f"The {len(assets)} ingestion jobs of tenant `{tenant}`.",
        tags={TENANT: tenant},
        executor_def=dg.in_process_executor,
    )


def _retry_sensor(
    workspace: Workspace,
    tenant_jobs: Mapping[
        str, tuple[dg.UnresolvedAssetJobDefinition, Sequence[dg.AssetsDefinition]]
    ],
) -> dg.SensorDefinition:
    """No retry is launched either while it is not known what runner.yaml says of tenants."""
    jobs = workspace.jobs if workspace.is_sound else ()
    return build_retry_sensor(jobs, [job for job, _ in tenant_jobs.values()])


def _runnable(workspace: Workspace) -> Iterator[tuple[Schedule, Job]]:
    """Each schedule whose job is healthy, beside it, in the order of the file.

    None while it is not known what runner.yaml says of tenants: each run would fail, and what was
    due would be used up.
    """
    jobs = {job.id: job for job in workspace.jobs} if workspace.is_sound else {}
    for schedule in workspace.schedules:
        if schedule.job_id in jobs:
            yield schedule, jobs[schedule.job_id]
