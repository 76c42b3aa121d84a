"""A Dagster repository that builds no more than what is asked of it.

Dagster loads the whole code location again in the process of every run. At 5,000 jobs that is
seconds before the first line of a connector. This repository looks at the assets that a run
selects and builds only those; the code server, which asks for everything, gets everything.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.definitions.repository_definition import (
    SINGLETON_REPOSITORY_NAME,
    RepositoryData,
)
from dagster._core.selector.subset_selector import AssetSelectionData

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

Whole = Callable[[], "Contents"]
Part = Callable[[frozenset[dg.AssetKey]], dg.Definitions | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """All that the code location holds: `definitions` without tenant jobs and what runs them, for
    each tenant its job beside the assets that it covers, and the schedules and sensors that run
    those jobs.
    """

    definitions: dg.Definitions
    schedules: Sequence[dg.ScheduleDefinition]
    sensors: Sequence[dg.SensorDefinition]
    tenant_jobs: Mapping[str, tuple[dg.UnresolvedAssetJobDefinition, Sequence[dg.AssetsDefinition]]]


class WorkspaceRepository(dg.RepositoryDefinition):
    """The code location: `whole` builds everything; `part` builds what a run of the given assets
    needs, or returns None where it can't tell, and then the whole serves.
    """

    def __init__(self, *, whole: Whole, part: Part) -> None:
        self._data = _LazyData(whole)
        super().__init__(SINGLETON_REPOSITORY_NAME, repository_data=self._data)
        self._part = part

    def get_maybe_subset_job_def(
        self,
        job_name: str,
        op_selection: Iterable[str] | None = None,
        asset_selection: AbstractSet[dg.AssetKey] | None = None,
        asset_check_selection: AbstractSet[dg.AssetCheckKey] | None = None,
    ) -> dg.JobDefinition:
        """The job of a run, over the selected assets; called by Dagster in the run's process."""
        selection = (op_selection, asset_selection, asset_check_selection)
        if not any(selection) and not self._data.is_loaded:
            return _DeferredJob(partial(self.get_job, job_name))
        part = self._part(frozenset(asset_selection)) if asset_selection else None
        if part is not None:
            repository = part.get_repository_def()
            if repository.has_job(job_name):
                job = repository.get_maybe_subset_job_def(job_name, *selection)
                return self._as_subset(job) if self._data.is_loaded else job
        return super().get_maybe_subset_job_def(job_name, *selection)

    def _as_subset(self, job: dg.JobDefinition) -> dg.JobDefinition:
        """The job of a part, as a subset of the job of the whole: the daemon, which knows that one,
        compares, and warns at each run.
        """
        selected = job.asset_selection_data
        if selected is not None:
            job._subset_selection_data = AssetSelectionData(  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - no public way
                asset_selection=selected.asset_selection,
                asset_check_selection=selected.asset_check_selection,
                parent_job_def=self.get_job(job.name),
            )
        return job


class _DeferredJob(dg.JobDefinition):
    """A job that is resolved when something of it is read.

    The process of a run asks for its job without a selection, "early", only to see that it can be
    had, and then for the selection that it runs (`core_execute_run`). Nothing is lost by loading
    for the second question only: what cannot be had fails there.
    """

    def __init__(self, resolve: Callable[[], dg.JobDefinition]) -> None:
        self.__dict__["_resolve"] = resolve

    def __getattr__(self, name: str) -> Any:
        resolve: Callable[[], dg.JobDefinition] | None = self.__dict__.pop("_resolve", None)
        if resolve is None:
            raise AttributeError(name)
        self.__dict__.update(vars(resolve()))
        return getattr(self, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """The whole, resolved."""

    data: RepositoryData
    schedules: Sequence[dg.ScheduleDefinition]
    sensors: Sequence[dg.SensorDefinition]
    tenant_jobs: Mapping[str, dg.JobDefinition]


class _LazyData(RepositoryData):
    """The contents of the repository, built by `whole` when they are first asked for."""

    def __init__(self, whole: Whole) -> None:
        self._whole = whole

    @property
    def is_loaded(self) -> bool:
        """Whether the contents have been asked for."""
        return "_loaded" in self.__dict__

    @cached_property
    def _loaded(self) -> _Loaded:
        with _paused_collection():
            contents = self._whole()
            return _Loaded(
                data=contents.definitions.get_repository_def()._repository_data,  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - no public way
                schedules=contents.schedules,
                sensors=contents.sensors,
                tenant_jobs={
                    name: _resolve_alone(job, assets)
                    for name, (job, assets) in contents.tenant_jobs.items()
                },
            )

    def get_top_level_resources(self) -> Mapping[str, dg.ResourceDefinition]:
        return self._loaded.data.get_top_level_resources()

    def get_env_vars_by_top_level_resource(self) -> Mapping[str, AbstractSet[str]]:
        return self._loaded.data.get_env_vars_by_top_level_resource()

    def get_all_jobs(self) -> Sequence[dg.JobDefinition]:
        return [*self._loaded.data.get_all_jobs(), *self._loaded.tenant_jobs.values()]

    def get_job_names(self) -> Sequence[str]:
        return [*self._loaded.data.get_job_names(), *self._loaded.tenant_jobs]

    def get_job(self, job_name: str) -> dg.JobDefinition:
        return self._loaded.tenant_jobs.get(job_name) or self._loaded.data.get_job(job_name)

    def get_all_schedules(self) -> Sequence[dg.ScheduleDefinition]:
        return self._loaded.schedules

    def get_all_sensors(self) -> Sequence[dg.SensorDefinition]:
        return [*self._loaded.data.get_all_sensors(), *self._loaded.sensors]

    def get_source_assets_by_key(self) -> Mapping[dg.AssetKey, dg.SourceAsset]:
        return self._loaded.data.get_source_assets_by_key()

    def get_assets_defs_by_key(self) -> Mapping[dg.AssetKey, dg.AssetsDefinition]:
        return self._loaded.data.get_assets_defs_by_key()

    def get_asset_checks_defs_by_key(self) -> Mapping[dg.AssetCheckKey, Any]:
        return self._loaded.data.get_asset_checks_defs_by_key()


def _resolve_alone(
    job: dg.UnresolvedAssetJobDefinition, assets: Sequence[dg.AssetsDefinition]
) -> dg.JobDefinition:
    """The tenant's job, resolved against the assets of its tenant alone: against all assets, as
    Dagster does it, the time grows with tenants times assets.
    """
    return job.resolve(AssetGraph.from_assets(assets), dg.in_process_executor)


@contextmanager
def _paused_collection() -> Generator[None]:
    """No garbage collection while millions of objects are made that all stay: it would walk them
    again and again (a third of the time at 5,000 jobs). They are exempt from it afterwards.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
