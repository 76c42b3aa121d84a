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
from orchestration.defs.schedules import Gate, build_schedule
from orchestration.defs.tags import TENANT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.domain.job import Job
    from orchestration.domain.schedule import Schedule
    from orchestration.domain.workspace import Workspace


def build_definitions(
    workspace: Workspace, *, gate: Gate, reload: Reload, kind_of: KindOf
) -> dg.Definitions:
    """The Dagster definitions of a workspace.

    One asset a job, one asset job a tenant (a job for each schedule would make loading quadratic),
    one schedule an entry, and a visible fault for whatever is broken. `gate` is asked at each tick
    whether a schedule is enabled; `reload` reads the files anew for the `config_valid` checks,
    `kind_of` gives the connectors their icons.
    """
    contents = build_contents(workspace, gate=gate, reload=reload, kind_of=kind_of)
    jobs = [job for job, _ in contents.tenant_jobs.values()]
    whole = dg.Definitions(jobs=jobs, schedules=contents.schedules)
    return dg.Definitions.merge(contents.definitions, whole)


def build_contents(
    workspace: Workspace, *, gate: Gate, reload: Reload, kind_of: KindOf
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
    return Contents(
        definitions=definitions,
        schedules=build_schedules(workspace, gate),
        tenant_jobs=build_tenant_jobs(workspace.jobs, assets),
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


def build_schedules(workspace: Workspace, gate: Gate) -> list[dg.ScheduleDefinition]:
    """The Dagster schedule of each entry whose job is healthy."""
    jobs = {job.id: job for job in workspace.jobs}
    return [
        build_schedule(schedule, jobs[schedule.job_id], gate)
        for schedule in workspace.schedules
        if schedule.job_id in jobs
    ]
