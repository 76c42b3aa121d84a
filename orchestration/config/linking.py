"""From schedule entries to schedules, once all jobs are known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from orchestration.config import workspace_rules
from orchestration.config.asset_links import AssetLinks, BadLink
from orchestration.config.words import show
from orchestration.domain.limits import Priority
from orchestration.domain.schedule import AssetTrigger, CatchUp, Overlap, Schedule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestration.config.document import Place
    from orchestration.config.entries import Entry
    from orchestration.config.reading import FileReader, JobResult, RunnerResult
    from orchestration.domain.job import BrokenJob, Job
    from orchestration.domain.problem import Location

_CATCH_UP_WINDOW = timedelta(days=1)


class ScheduleLinker:
    """Makes the schedules whose jobs can run, in the order of the file; reports what it leaves out.

    `jobs` are all jobs of the workspace. None says that only some were read: then the assets of
    other jobs are taken as they are written.
    """

    def __init__(
        self,
        runner: RunnerResult,
        results: Iterable[JobResult],
        jobs: Iterable[Job | BrokenJob] | None,
    ) -> None:
        self._runner = runner
        self._results = {result.path: result for result in results}
        self._links = None if jobs is None else AssetLinks(jobs)
        self._made: dict[Place, Schedule] = {}

    def link(self, reader: FileReader) -> tuple[Schedule, ...]:
        """The schedules, with the last good versions of those whose `on_asset` is wrong now."""
        broken: dict[str, Place] = {}
        for entry in self._runner.content.entries:
            if bad := self._add(entry):
                bad.report(self._runner.source, entry)
                broken[entry.fields.name] = entry.place
        if broken:
            self._add_older(reader.read_older_entries(self._runner, broken))
        return tuple(self._made[place] for place in sorted(self._made, key=lambda place: place[-1]))

    def _add(self, entry: Entry) -> BadLink | None:
        result = self._results[entry.path]
        if result.job:
            return self._make(entry, result.job)
        self._runner.source.report(
            workspace_rules.BROKEN_TARGET,
            (*entry.place, "config"),
            name=show(entry.fields.name),
            path=show(result.document.file),
        )
        return None

    def _add_older(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            result = self._results.get(entry.path)
            if result and result.job and not self._make(entry, result.job):
                what = f"the schedule `{show(entry.fields.name)}`"
                self._runner.document.report(workspace_rules.LAST_GOOD_IN_FORCE, what=what)

    def _make(self, entry: Entry, job: Job) -> BadLink | None:
        trigger = entry.timing.trigger
        if isinstance(trigger, AssetTrigger) and self._links:
            key = self._links.add(entry, job.id)
            if isinstance(key, BadLink):
                return key
            trigger = AssetTrigger(asset_key=key)
        location = self._runner.source.locate(entry.place)
        schedule = _make_schedule(entry, job.id, location)
        self._made[entry.place] = replace(schedule, trigger=trigger)
        return None


def _make_schedule(entry: Entry, job_id: str, location: Location) -> Schedule:
    fields, timing = entry.fields, entry.timing
    catch_up = CatchUp(fields.catch_up)
    return Schedule(
        name=fields.name,
        job_id=job_id,
        trigger=timing.trigger,
        enabled=fields.enabled,
        max_concurrent_runs=fields.max_concurrent_runs,
        tags=fields.tags or {},
        start=timing.start,
        end=timing.end,
        overlap=Overlap(fields.overlap),
        catch_up=catch_up,
        catch_up_window=(
            (fields.catch_up_window or _CATCH_UP_WINDOW) if catch_up is CatchUp.ALL else None
        ),
        spread=fields.spread,
        offset=timing.offset,
        priority=Priority(fields.priority) if fields.priority else None,
        max_consecutive_errors=fields.max_consecutive_errors or None,
        location=location,
    )
