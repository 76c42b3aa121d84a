"""Loads a workspace: all of its files, all of their problems, and every job that is right."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.config import workspace_rules
from orchestration.config.files import Disk, Layout
from orchestration.config.finder import JobFinder
from orchestration.config.garbage import collection_paused
from orchestration.config.idle import check_connectors, warn_of_idle_tenants
from orchestration.config.jobs import JobContext, identify
from orchestration.config.linking import ScheduleLinker
from orchestration.config.reading import FileReader, JobResult, RunnerResult
from orchestration.config.registry import Registry
from orchestration.domain.job import BrokenJob
from orchestration.domain.problem import sort_problems
from orchestration.domain.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from orchestration.config.catalog import ConnectorCatalog
    from orchestration.config.files import Files
    from orchestration.config.last_good import LastGood
    from orchestration.domain.job import Job


def load_workspace(
    runner_file: Path,
    *,
    environ: Mapping[str, str],
    catalog: ConnectorCatalog,
    only: Collection[Path] | None = None,
    last_good: LastGood | None = None,
    files: Files | None = None,
) -> Workspace:
    """Everything that `runner_file` and its job files say, with everything that is wrong with them.

    Nothing that the files hold makes it raise. With `only`, of the job files just these are read,
    and of the schedules those that run them. With `last_good`, a file that is broken now counts as
    it was when it last loaded well, and the store is brought up to date. `files` is where files
    come from, by default the disk.
    """
    path = os.path.abspath(runner_file)  # noqa: PTH100 - paths are texts in this package
    layout = Layout(os.path.dirname(path), files or Disk())  # noqa: PTH120 - as above
    chosen = None if only is None else [os.path.abspath(one) for one in only]  # noqa: PTH100 - as above
    context = JobContext(layout=layout, environ=environ, catalog=catalog)
    with collection_paused():
        return _Loader(path, context, chosen, last_good).load()


class _Loader:
    def __init__(
        self,
        runner_path: str,
        context: JobContext,
        only: list[str] | None,
        last_good: LastGood | None,
    ) -> None:
        self._runner_path = runner_path
        self._layout = context.layout
        self._catalog = context.catalog
        self._only = only
        self._last_good = last_good
        self._finder = JobFinder(context.layout, only)
        self._reader = FileReader(context, self._finder, last_good)

    def load(self) -> Workspace:
        runner = self._reader.read_runner(self._runner_path)
        self._reader.heed(runner.content)
        paths = self._job_paths(runner)
        results = [self._reader.read_job(path, linked=linked) for path, linked in paths.items()]
        broken = self._settle_names(results)
        jobs = tuple(result.job for result in results if result.job is not None)
        everything = None if self._only is not None else (*jobs, *broken)
        schedules = ScheduleLinker(runner, results, everything).link(self._reader)
        if self._only is None:
            self._find_idle(runner, jobs, broken)
            self._keep(runner, results)
        assets = self._reader.assets
        documents = [
            runner.document,
            *(result.document for result in results),
            *assets.documents,
        ]
        return Workspace(
            root=self._layout.root_path,
            runner_file=Path(self._runner_path),
            settings=runner.content.settings,
            jobs=jobs,
            broken_jobs=broken,
            schedules=schedules,
            tenants=runner.content.tenants,
            problems=sort_problems(p for document in documents for p in document.finish()),
            watched=(Path(self._runner_path), *map(Path, paths), *assets.paths),
            is_sound=runner.content.is_sound,
        )

    def _job_paths(self, runner: RunnerResult) -> dict[str, bool]:
        """All job files: those below `jobs/`, then those that only schedules name."""
        found = self._finder.found
        named = dict.fromkeys((entry.path for entry in runner.content.entries), True)
        return {**found, **{path: True for path in named if path not in found}}

    def _settle_names(self, results: list[JobResult]) -> tuple[BrokenJob, ...]:
        """Give each name to one job; what is left without becomes a placeholder.

        A copy that somebody forgot to rename does not push the original out, see `_rank`.
        """
        registry = Registry(self._layout.display(self._runner_path))
        for result in sorted(results, key=self._rank):
            clash = registry.find_clash(result.job) if result.job else None
            if clash:
                self._reader.reopen(result.document)
                clash.report(result.document)
                result.job = self._reader.read_older_job(
                    result.document, result.path, lambda job: registry.find_clash(job) is None
                )
            if result.job:
                registry.take(result.job)
        return tuple(self._break(r, registry) for r in results if r.job is None)

    def _rank(self, result: JobResult) -> tuple[bool, bool, str]:
        """Files that did not change come first, then those in their tenant's own folder."""
        folder = self._layout.folder_tenant(result.path)
        is_foreign = result.job is not None and result.job.tenant != folder
        return not self._reader.is_unchanged(result.document), is_foreign, result.path

    def _break(self, result: JobResult, registry: Registry) -> BrokenJob:
        document = result.document
        who = registry.make_free(identify(document, result.path, self._layout))
        found = sort_problems(document.finish())
        broken = BrokenJob(
            tenant=who.tenant,
            name=who.name,
            asset=who.asset,
            target_connector=who.target_connector,
            location=next((p.location for p in found if p.is_error), document.locate(())),
            problems=found,
        )
        registry.take(broken)
        return broken

    def _find_idle(
        self, runner: RunnerResult, jobs: tuple[Job, ...], broken: tuple[BrokenJob, ...]
    ) -> None:
        busy = {job.tenant for job in (*jobs, *broken)}
        document, content = runner.document, runner.content
        warn_of_idle_tenants(document, content, busy)
        check_connectors(document, content, jobs, broken, self._catalog)

    def _keep(self, runner: RunnerResult, results: list[JobResult]) -> None:
        """Remember the files that loaded well; of the others, what was remembered before."""
        if self._last_good is None:
            return
        texts = dict(runner.texts)
        for result in results:
            text = self._text(result)
            if text is not None:
                texts[result.document.file] = text
        texts |= dict(self._reader.assets.texts(self._last_good.read))
        try:
            self._last_good.write(texts)
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            path = f"`{self._last_good.path}`"
            runner.document.report(workspace_rules.NOT_KEPT, reason=reason, path=path)

    def _text(self, result: JobResult) -> str | None:
        if (result.job and not result.job.stale) or self._last_good is None:
            return result.document.content.decode()
        return self._last_good.read(result.document.file)
