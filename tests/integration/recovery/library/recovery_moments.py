"""Dagster's storages, the coordinator and the launcher, as an instance under test has them: the same,
but for the moments at which the process that gets there first can be held.

A moment is armed by a file of its name in the folder that RECOVERY_MOMENTS names. Who takes it away
says who it is in the file `holder`, and waits for as long as there is the file `reached`.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.launcher import LaunchRunContext
from dagster._core.scheduler.instigation import InstigatorTick, TickData
from dagster._core.storage.dagster_run import DagsterRun
from dagster._core.storage.sqlite import create_db_conn_string
from dagster._serdes import ConfigurableClassData
from dagster_postgres.schedule_storage import PostgresScheduleStorage

from orchestration.defs import postgres_storage
from orchestration.defs.coordinator import OrchestrationRunCoordinator
from orchestration.defs.embedded_storage import (
    EmbeddedStorage,
    EventLogStorage,
    RunStorage,
    ScheduleStorage,
)
from orchestration.defs.launcher import ForkingRunLauncher

_POLL_SECONDS = 0.01


def reach(moment: str) -> None:
    """Wait here, if it is the moment that is armed, until the file `reached` is gone."""
    folder = os.environ.get("RECOVERY_MOMENTS")
    if folder is None:
        return
    reached = Path(folder, "reached")
    with suppress(FileNotFoundError):
        Path(folder, moment).rename(reached)
        Path(folder, "holder").write_text(str(os.getpid()))
        while reached.exists():
            time.sleep(_POLL_SECONDS)


class _Runs:
    def add_run(self, dagster_run: DagsterRun) -> DagsterRun:
        reach("evaluation answered")
        added = super().add_run(dagster_run)
        reach("run created")
        return added

    def handle_run_event(self, run_id: str, event: DagsterEvent, *more: Any) -> None:
        if event.event_type is DagsterEventType.RUN_SUCCESS:
            reach("success recorded")
        super().handle_run_event(run_id, event, *more)


class _Events:
    def store_event(self, event: EventLogEntry) -> None:
        match event.dagster_event_type:
            case DagsterEventType.RUN_START:
                reach("worker forked")
            case DagsterEventType.STEP_OUTPUT:
                reach("connector ended")
            case DagsterEventType.RUN_SUCCESS:
                reach("before success")
            case _:
                pass
        super().store_event(event)


class _Schedules:
    def create_tick(self, tick_data: TickData) -> InstigatorTick:
        tick = super().create_tick(tick_data)
        if tick_data.instigator_type.value == "SCHEDULE":
            reach("tick recorded")
        return tick

    def get_ticks_by_ids(self, tick_ids: Any) -> Any:
        reach("evaluation begun")
        return super().get_ticks_by_ids(tick_ids)


class HeldRunStorage(_Runs, RunStorage):
    pass


class HeldEventLogStorage(_Events, EventLogStorage):
    pass


class HeldScheduleStorage(_Schedules, ScheduleStorage):
    pass


class HeldPostgresRunStorage(_Runs, postgres_storage.RunStorage):
    pass


class HeldPostgresEventLogStorage(_Events, postgres_storage.EventLogStorage):
    pass


class HeldPostgresScheduleStorage(_Schedules, PostgresScheduleStorage):
    pass


class HeldEmbeddedStorage(EmbeddedStorage):
    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        runs, schedules = f"{base_dir}/history", f"{base_dir}/schedules"
        self._run_storage = HeldRunStorage(create_db_conn_string(runs, "runs"))
        self._event_log_storage = HeldEventLogStorage(f"{runs}/runs")
        self._schedule_storage = HeldScheduleStorage(create_db_conn_string(schedules, "schedules"))


class HeldPostgresStorage(postgres_storage.PostgresStorage):
    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, inst_data=inst_data)
        self._run_storage = HeldPostgresRunStorage(postgres_url)
        self._event_log_storage = HeldPostgresEventLogStorage(postgres_url)
        self._schedule_storage = HeldPostgresScheduleStorage(postgres_url)


class HeldCoordinator(OrchestrationRunCoordinator):
    def submit_run(self, context: dg.SubmitRunContext) -> DagsterRun:
        run = super().submit_run(context)
        reach("run queued")
        return run


class HeldLauncher(ForkingRunLauncher):
    def launch_run(self, context: LaunchRunContext) -> None:
        reach("run dequeued")
        super().launch_run(context)
