"""Our storage and Dagster's own are interchangeable on the same files, in both directions."""

import multiprocessing
import sqlite3
import time
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, DagsterEventType, EngineEventData
from dagster._core.events.log import EventLogEntry
from dagster._core.instance import InstanceRef
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from orchestration.defs import embedded_storage
from orchestration.defs.embedded_storage import EmbeddedStorage, EventLogStorage

OURS = """\
storage:
  custom:
    module: orchestration.defs.embedded_storage
    class: EmbeddedStorage
    config: {{base_dir: {folder}}}
telemetry: {{enabled: false}}
"""
THEIRS = "telemetry: {{enabled: false}}\n"


@dg.asset
def orders():
    return dg.MaterializeResult(metadata={"rows": 3})


def open_instance(folder, text):
    folder.mkdir(exist_ok=True)
    (folder / "dagster.yaml").write_text(text.format(folder=folder))
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(folder)))


def test_a_run_is_stored_in_the_group_that_its_tags_name_and_says_nothing_of_others(tmp_path):
    with open_instance(tmp_path / "home", OURS) as instance:
        first = dg.materialize([orders], instance=instance).run_id
        named = {"dagster/parent_run_id": first, "dagster/root_run_id": first}
        tags = {**named, "orchestration/retry": "launched"}
        second = dg.materialize([orders], instance=instance, tags=tags).run_id

        run = instance.get_run_by_id(second)
        assert (run.parent_run_id, run.root_run_id) == (first, first)
        assert run.tags == named
        root, group = instance.get_run_group(second)
        assert (root, {run.run_id for run in group}) == (first, {first, second})


def summary(instance):
    return [
        (run.run_id, run.status.value, len(instance.all_logs(run.run_id)))
        for run in instance.get_runs()
    ]


@pytest.mark.parametrize(("first", "second"), [(OURS, THEIRS), (THEIRS, OURS)])
def test_what_one_storage_has_written_the_other_one_reads_and_goes_on_with(tmp_path, first, second):
    with open_instance(tmp_path / "home", first) as instance:
        dg.materialize([orders], instance=instance)
        before = summary(instance)
    with open_instance(tmp_path / "home", second) as instance:
        assert summary(instance) == before
        dg.materialize([orders], instance=instance)

        assert [status for _, status, _ in summary(instance)] == ["SUCCESS", "SUCCESS"]
        event = instance.get_latest_materialization_event(dg.AssetKey("orders"))
        assert event.asset_materialization.metadata["rows"].value == 3


def engine_event(run_id):
    return EventLogEntry(
        error_info=None,
        level=20,
        user_message="here",
        run_id=run_id,
        timestamp=time.time(),
        dagster_event=DagsterEvent(
            event_type_value=DagsterEventType.ENGINE_EVENT.value,
            job_name="acme",
            message="here",
            event_specific_data=EngineEventData(),
        ),
    )


def test_the_file_of_a_new_run_has_the_schema_that_dagster_gives_it(tmp_path):
    schemas = []
    for folder, kind in (("ours", EventLogStorage), ("theirs", DagsterSqliteStorage)):
        made = kind(str(tmp_path / folder))
        storage = made if isinstance(made, EventLogStorage) else made.event_log_storage
        run_id = str(uuid4())
        storage.store_event(engine_event(run_id))
        with sqlite3.connect(storage.path_for_shard(run_id)) as connection:
            tables = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name")
            revision = connection.execute("SELECT * FROM alembic_version").fetchall()
            mode = connection.execute("PRAGMA journal_mode").fetchone()
            schemas.append((tables.fetchall(), revision, mode))

    assert schemas[0] == schemas[1]


def test_a_file_of_an_older_schema_is_left_to_dagster(tmp_path):
    storage = EventLogStorage(str(tmp_path))
    run_id = str(uuid4())
    storage.store_event(engine_event(run_id))
    path = storage.path_for_shard(run_id)
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM alembic_version")
    connection.close()

    EventLogStorage(str(tmp_path)).store_event(engine_event(run_id))

    with sqlite3.connect(path) as connection:
        assert len(connection.execute("SELECT * FROM alembic_version").fetchall()) == 1
    connection.close()


def test_many_runs_are_written_though_few_engines_are_kept(tmp_path):
    storage = EventLogStorage(str(tmp_path))
    runs = [str(uuid4()) for _ in range(embedded_storage._KEPT_SHARDS + 10)]

    for run_id in (*runs, *runs):
        storage.store_event(engine_event(run_id))

    assert [len(storage.get_logs_for_run(run_id)) for run_id in runs] == [2] * len(runs)
    assert len(storage._engines) == embedded_storage._KEPT_SHARDS


def _open_new(folder, ready, results):
    embedded_storage._checked.clear()
    ready.wait()
    storage = EmbeddedStorage(folder)
    results.put(storage.run_storage.get_runs())


def test_processes_may_open_a_new_instance_at_the_same_time(tmp_path):
    context = multiprocessing.get_context("fork")
    ready, results = context.Event(), context.Queue()
    processes = [
        context.Process(target=_open_new, args=(str(tmp_path / "new"), ready, results))
        for _ in range(4)
    ]
    for process in processes:
        process.start()
    ready.set()
    for process in processes:
        process.join(timeout=60)

    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert [results.get(timeout=5) for _ in processes] == [[], [], [], []]
    assert Path(tmp_path, "new", "history", "runs.db").exists()
