"""The run coordinator: every run carries its tenant's tags, and no limit can be walked around.

Dagster launches runs from the UI, backfills and sensors through an implicit job that carries no
tags, so limits by tag would not see them. This coordinator puts the tags on each run that is
submitted, however it came about, and takes the limits from the index of the workspace, which each
reload renews.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import dagster as dg
from dagster._core.definitions.assets.job.asset_job import IMPLICIT_ASSET_JOB_NAME
from dagster_shared.error import DagsterError

from orchestration.defs import tags
from orchestration.defs.index import IndexEntry, WorkspaceIndex, read_index
from orchestration.defs.waiting import is_cancelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dagster._config.config_schema import UserConfigSchema
    from dagster._core.run_coordinator.queued_run_coordinator import RunQueueConfig
    from dagster._serdes import ConfigurableClassData


class UnknownLimitsError(DagsterError):
    """There is no index that says which limits a run counts against."""


class OrchestrationRunCoordinator(dg.QueuedRunCoordinator[dg.DagsterInstance]):
    """Dagster's queue with tenant tags on every run and limits read live from the index.

    `index_file` in `dagster.yaml` names the index. One that is gone, or of another format after an
    upgrade, leaves the one before it in force. Before the first, no run is launched or submitted:
    without its tags it would count against no limit.
    """

    def __init__(self, *, index_file: Path, **settings: Any) -> None:
        super().__init__(**settings)
        self._index_file = index_file
        self._read: tuple[tuple[int, int], WorkspaceIndex] | None = None
        self._has_warned = False

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """The settings of Dagster's queue, and `index_file`."""
        return {**super().config_type(), "index_file": dg.StringSource}  # pyright: ignore[reportGeneralTypeIssues] - a dict at run time

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """The coordinator that `dagster.yaml` describes; called by Dagster."""
        settings = dict(config_value)
        return cls(index_file=Path(settings.pop("index_file")), inst_data=inst_data, **settings)

    def submit_run(self, context: dg.SubmitRunContext) -> dg.DagsterRun:
        """Put tenant, job, limit, priority and trace tags on the run, then queue it.

        Raises:
            UnknownLimitsError: the run stays as it is; Dagster's monitoring ends it, and repeats it.
        """
        run = context.dagster_run
        index = self._index()
        if index is None:
            raise UnknownLimitsError(
                f"run {run.run_id} is not queued, since its limits are not known: there is no index"
                f" at {self._index_file}; the code server writes it when it loads the files"
            )
        if is_cancelled(self._instance, run):
            why = "The retry was cancelled, or the run that waited for it deleted, as it was launched."
            self._instance.report_run_canceled(run, why)
            return self._instance.get_run_by_id(run.run_id) or run
        # A re-execution carries the tags of its parent, which may be out of date.
        present = _given(run.tags) if run.parent_run_id else run.tags
        wanted = _default_tags(index, present) | run_tags(_entries(index, run), present)
        wanted |= _trace_tag(run)
        self._instance.add_run_tags(run.run_id, wanted)
        return super().submit_run(context)

    def get_run_queue_config(self) -> RunQueueConfig:
        """The limits in force now; Dagster's daemon asks at each turn of its queue."""
        config = super().get_run_queue_config()
        index = self._index()
        if index is None:
            self._warn_once()
            return config._replace(max_concurrent_runs=0)
        limits = [{"key": key, "limit": limit} for key, limit in index.limits.items()]
        return config._replace(
            tag_concurrency_limits=[*config.tag_concurrency_limits, *limits],
            max_concurrent_runs=index.max_concurrent_runs or config.max_concurrent_runs,
        )

    def _warn_once(self) -> None:
        if not self._has_warned:
            self._logger.warning("no run is launched: there is no index at %s", self._index_file)
        self._has_warned = True

    def _index(self) -> WorkspaceIndex | None:
        """The last index that could be read."""
        try:
            status = self._index_file.stat()
        except FileNotFoundError:
            return self._read[1] if self._read else None
        stamp = (status.st_mtime_ns, status.st_size)
        if self._read is None or self._read[0] != stamp:
            index = read_index(self._index_file)
            if index is not None:
                self._read = (stamp, index)
        return self._read[1] if self._read else None


def _entries(index: WorkspaceIndex, run: dg.DagsterRun) -> list[IndexEntry]:
    """The jobs that a run covers: those it selects, else all of its tenant, or all there are."""
    if run.asset_selection is not None or run.asset_check_selection is not None:
        keys = sorted("/".join(key.path) for key in run.asset_selection or ())
        return [index.jobs[key] for key in keys if key in index.jobs]
    everyone = run.job_name == IMPLICIT_ASSET_JOB_NAME
    return [job for job in index.jobs.values() if everyone or job.tenant == run.job_name]


def run_tags(entries: Iterable[IndexEntry], present: Mapping[str, str]) -> dict[str, str]:
    """The tags that a run of these jobs needs beside those present, which are kept.

    A run of several jobs counts against the limits of all of their tenants and connectors, goes no
    earlier than the least of them may, and may take as long as all of them together.
    """
    jobs = list(entries)
    wanted = tags.merge_tags(job.tags for job in jobs)
    wanted |= {tags.tenant_slot(job.tenant): "1" for job in jobs}
    wanted |= {tags.job_slot(job.job_id): "1" for job in jobs}
    wanted |= {tags.connector_slot(end): "1" for job in jobs for end in job.connectors}
    if rank := min((job.priority for job in jobs), default=0):
        wanted[tags.PRIORITY] = str(rank)
    if jobs:
        wanted[tags.MAX_RUNTIME] = str(sum(job.max_runtime_seconds for job in jobs))
    return {key: value for key, value in wanted.items() if present.get(key) is None}


def _default_tags(index: WorkspaceIndex, present: Mapping[str, str]) -> dict[str, str]:
    """Those of a run that covers no known job: it has a bound too."""
    wanted = {tags.MAX_RUNTIME: str(index.max_runtime_seconds)}
    return {key: value for key, value in wanted.items() if key not in present}


def _given(present: Mapping[str, str]) -> dict[str, str]:
    """Of the tags of the run before a re-execution, what its schedule or a person has chosen."""
    return {key: value for key, value in present.items() if key == tags.PRIORITY}


def _trace_tag(run: dg.DagsterRun) -> dict[str, str]:
    return {tags.TRACEPARENT: tags.make_traceparent(run.run_id, run.root_run_id or run.run_id)}
