"""One Dagster asset a job."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

import dagster as dg

from orchestration.defs import tags
from orchestration.defs.execution import COMPLETE_CHECK, JobExecution
from orchestration.defs.metadata import job_metadata
from orchestration.domain.job import CommandTask, Job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.domain.schedule import Schedule
    from orchestration.domain.workspace import Workspace

_OUTPUT = "result"


def build_asset(
    job: Job, workspace: Workspace, schedules: Sequence[Schedule]
) -> dg.AssetsDefinition:
    """The asset of a job: its attempt as an op, its looks in the UI, and the `complete` check.

    Built without the decorators, which cost three times as much and are felt at 5,000 jobs.
    """
    key = dg.AssetKey(job.asset_key)
    op = dg.OpDefinition(
        name="__".join(job.asset_key),
        compute_fn=JobExecution(job, workspace),
        outs={
            _OUTPUT: dg.Out(dg.Nothing),
            COMPLETE_CHECK: dg.Out(dg.Nothing, is_required=False),
        },
    )
    return dg.AssetsDefinition(
        keys_by_output_name={_OUTPUT: key},
        node_def=op,
        specs=[_spec(job, key, workspace, schedules)],
        check_specs_by_output_name={COMPLETE_CHECK: _complete_spec(key)},
    )


def asset_kinds(job: Job) -> set[str]:
    """The kinds that the UI shows with an icon: both connectors, or what the command runs."""
    kinds = {label for label in (job.source_connector, job.target_connector) if label}
    if isinstance(job.task, CommandTask):
        program = PurePath(job.task.command[0]).name
        kinds.add("python" if program.startswith("python") else "shell")
    return {kind.lower() for kind in sorted(kinds)[:3]}


def _spec(
    job: Job, key: dg.AssetKey, workspace: Workspace, schedules: Sequence[Schedule]
) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=key,
        description=job.description or f"The data of job `{job.id}`.",
        group_name=job.tenant,
        kinds=asset_kinds(job),
        owners=list(job.owners),
        tags=tags.job_tags(job),
        metadata=job_metadata(job, workspace.root, schedules),
    )


def _complete_spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name=COMPLETE_CHECK,
        asset=key,
        description="Whether every record was committed, or some were rejected (exit code 1).",
    )
