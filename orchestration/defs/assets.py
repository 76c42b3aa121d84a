"""One Dagster asset a job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

import dagster as dg

from orchestration.defs import tags
from orchestration.defs.execution import COMPLETE_CHECK, JobExecution
from orchestration.defs.metadata import job_metadata
from orchestration.domain.job import CommandTask, Job
from orchestration.domain.retry import Disposition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.domain.schedule import Schedule
    from orchestration.domain.workspace import Workspace

_OUTPUT = "result"


KindOf = Callable[[Literal["source", "target"], str], str | None]
"""The kind that stands for a connector in the UI; None for one that is not installed."""


def build_asset(
    job: Job, workspace: Workspace, schedules: Sequence[Schedule], kind_of: KindOf
) -> dg.AssetsDefinition:
    """The asset of a job: its attempt as an op, its looks in the UI, and the `complete` check.

    Built without the decorators, which cost three times as much and are felt at 5,000 jobs.
    """
    key = dg.AssetKey(job.asset_key)
    op = dg.OpDefinition(
        name="__".join(job.asset_key),
        compute_fn=JobExecution(job, workspace),
        outs={
            _OUTPUT: dg.Out(dg.Nothing, is_required=not _may_yield_nothing(job)),
            COMPLETE_CHECK: dg.Out(dg.Nothing, is_required=False),
        },
    )
    return dg.AssetsDefinition(
        keys_by_output_name={_OUTPUT: key},
        node_def=op,
        specs=[_spec(job, key, workspace, schedules, asset_kinds(job, kind_of))],
        check_specs_by_output_name={COMPLETE_CHECK: _complete_spec(key)},
    )


def _may_yield_nothing(job: Job) -> bool:
    """Whether a run of the job may succeed without data: a failure is one that does not matter."""
    return any(c.disposition is Disposition.DISCARDABLE for c in job.retry.error_classes)


def asset_kinds(job: Job, kind_of: KindOf) -> set[str]:
    """The kinds that the UI shows with an icon: both connectors, and what the command runs."""
    kinds: set[str] = set()
    if job.source_connector:
        kinds.add(kind_of("source", job.source_connector) or job.source_connector)
    if job.target_connector:
        kinds.add(kind_of("target", job.target_connector) or job.target_connector)
    if isinstance(job.task, CommandTask):
        program = PurePath(job.task.command[0]).name
        kinds.add("python" if program.startswith("python") else "shell")
    return {kind.lower() for kind in kinds}


def _spec(
    job: Job,
    key: dg.AssetKey,
    workspace: Workspace,
    schedules: Sequence[Schedule],
    kinds: set[str],
) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=key,
        description=job.description or f"The data of job `{job.id}`.",
        group_name=job.tenant,
        kinds=kinds,
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
