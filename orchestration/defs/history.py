"""What the Dagster instance knows of a job's runs and of a schedule's ticks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.scheduler.instigation import ScheduleInstigatorData, TickStatus
from dagster._core.storage.tags import (
    RUN_KEY_TAG,
    SCHEDULE_NAME_TAG,
    SCHEDULED_EXECUTION_TIME_TAG,
    WILL_RETRY_TAG,
)

from orchestration.defs import tags
from orchestration.defs.waiting import Wait, read_state
from orchestration.domain.due import EndedRun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dagster._core.scheduler.instigation import InstigatorTick

# A run that was made and never queued is no run: whoever made it died in between.
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_ENDED = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
# Those whose tag says that they wait: which a cancelled one does no more.
_WAITING = (
    [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE],
    {tags.RETRY: Wait.WAITING.value},
)
_RESULTS = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_FOLLOWED = (Wait.WAITING, Wait.LAUNCHED, Wait.REPLACED)
_FEWEST = 5
_NO_TAGS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class InstanceHistory:
    """The runs of the job `tenant/name` in a Dagster instance, found by the tag of its slot.

    `connect` opens the instance, which is done only when there is something to ask.
    """

    connect: Callable[[], dg.DagsterInstance]
    job_id: str

    def under_way(self, at_most: int) -> int:
        """See `History`."""
        ids = self.connect().get_run_ids
        found = len(ids(self._filter(_UNDER_WAY), limit=at_most))
        if found < at_most:  # most often nothing waits, and the tag is indexed
            found += sum(map(self._waits, self.connect().get_runs(self._filter(*_WAITING))))
        return min(found, at_most)

    def ended(self, count: int) -> Sequence[EndedRun]:
        """See `History`. Some more are read, since runs may end in another order than they began."""
        return _by_end(self._read(_ENDED, max(count, _FEWEST)))

    def results(self, count: int) -> Sequence[EndedRun]:
        """See `History`. Of runs that repeat each other the last one says how it ended."""
        limit = max(count, _FEWEST)
        while True:
            records = self._read(_RESULTS, limit)
            last = [record for record in records if not self._is_followed(record.dagster_run)]
            if len(last) >= count or len(records) < limit:
                return _by_end(last)
            limit *= 2

    def _read(self, statuses: list[dg.DagsterRunStatus], limit: int) -> Sequence[dg.RunRecord]:
        return self.connect().get_run_records(self._filter(statuses), limit=limit)

    def last_update(self, asset_key: tuple[str, ...]) -> int:
        """See `History`: the storage id of the last materialisation, whoever reported it."""
        found = self.connect().fetch_materializations(dg.AssetKey(asset_key), limit=1)
        return found.records[0].storage_id if found.records else 0

    def _waits(self, run: dg.DagsterRun) -> bool:
        """Whether it is this job of the run that is to be repeated."""
        return read_state(run, self.job_id) is Wait.WAITING

    def _is_followed(self, run: dg.DagsterRun) -> bool:
        """Whether another run repeats the job, now or later, and says what came of it: a retry, or what
        Dagster launches in place of a run that crashed or was interrupted.
        """
        is_repeated = run.tags.get(WILL_RETRY_TAG) == "true"
        return is_repeated or read_state(run, self.job_id) in _FOLLOWED

    def _filter(
        self, statuses: list[dg.DagsterRunStatus], more: Mapping[str, str] = _NO_TAGS
    ) -> dg.RunsFilter:
        return dg.RunsFilter(tags={tags.job_slot(self.job_id): "1", **more}, statuses=statuses)


def _by_end(records: Sequence[dg.RunRecord]) -> Sequence[EndedRun]:
    """The latest end first."""
    runs = [_ended_run(record) for record in records]
    return sorted(runs, key=lambda run: run.ended, reverse=True)


def _ended_run(record: dg.RunRecord) -> EndedRun:
    stamp = record.end_time or record.update_timestamp.timestamp()
    return EndedRun(
        run_id=record.dagster_run.run_id,
        ended=datetime.fromtimestamp(stamp, UTC),
        failed=record.dagster_run.status is dg.DagsterRunStatus.FAILURE,
    )


@dataclass(frozen=True, slots=True)
class TickHistory:
    """The ticks of the schedule or sensor that the tick `tick_id` belongs to."""

    instance: dg.DagsterInstance
    tick_id: int

    def forget_skips(self, before: datetime) -> None:
        """Delete the ticks before that instant at which nothing was launched."""
        if found := self._tick():
            self.instance.purge_ticks(
                found.instigator_origin_id,
                _selector(found),
                before.timestamp(),
                [TickStatus.SKIPPED],
            )

    def bounds(self, tick: datetime) -> list[datetime]:
        """Instants that no missed tick before `tick` can be older than: the last tick that was
        looked at to the end, and the moment when the schedule was turned on. A tick that has
        launched what was missed in part is as old as the last that it got to.

        A tick that broke off, or whose every evaluation failed, has not been looked at.
        """
        found = self._tick()
        if found is None:
            return []
        last = self.instance.get_ticks(
            found.instigator_origin_id,
            _selector(found),
            before=tick.timestamp(),
            limit=1,
            statuses=[TickStatus.SUCCESS, TickStatus.SKIPPED],
        )
        stamps = [_reached(tick) for tick in last]
        state = self.instance.get_instigator_state(found.instigator_origin_id, _selector(found))
        data = state.instigator_data if state else None
        if isinstance(data, ScheduleInstigatorData) and data.start_timestamp:
            stamps.append(data.start_timestamp)
        return [datetime.fromtimestamp(stamp, UTC) for stamp in stamps]

    def _tick(self) -> InstigatorTick | None:
        storage = self.instance.schedule_storage
        found = storage.get_ticks_by_ids([self.tick_id]) if storage else ()
        return found[0] if found else None


def _reached(tick: InstigatorTick) -> float:
    """Up to which instant a tick has launched what was due: the latest of its run keys, if any."""
    instants = [datetime.fromisoformat(key).timestamp() for key in tick.run_keys]
    return max(instants, default=tick.timestamp)


def read_tick_id(log_key: Sequence[str] | None) -> int | None:
    """The id of the tick that is being evaluated, the last part of the key of its log; None where
    there is no tick, as in a dry run from the UI.
    """
    *_, last = log_key or ("",)
    return int(last) if last.isdecimal() else None


def _selector(tick: InstigatorTick) -> str:
    return tick.tick_data.selector_id or ""


def launched_keys(
    instance: dg.DagsterInstance, schedule: str, tick: datetime, since: datetime
) -> set[str]:
    """The run keys for which the schedule has launched runs since that instant, at other ticks than
    `tick`: those of an evaluation that broke off half way, and that a newer tick has overtaken.

    A run that was made and never queued is one of them: once it has waited for too long, Dagster's
    monitoring fails it, and repeats it as one that crashed. Dagster compares keys within a tick only.
    It launches what it finds not yet queued there again, so that the runs of `tick` itself are left
    to it.
    """
    runs = instance.get_runs(
        dg.RunsFilter(
            tags={SCHEDULE_NAME_TAG: schedule}, created_after=since - timedelta(seconds=1)
        )
    )
    here = tick.astimezone(UTC).isoformat()
    return {
        run.tags[RUN_KEY_TAG]
        for run in runs
        if run.tags.get(SCHEDULED_EXECUTION_TIME_TAG) != here and RUN_KEY_TAG in run.tags
    }
