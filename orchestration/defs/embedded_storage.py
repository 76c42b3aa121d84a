"""The database of an instance on one machine: Dagster's SQLite storage, without work done again.

Dagster keeps the events of each run in a database file of its own. For each such file, in each
process, and whenever an instance is opened, it reads all of its schema migrations, some 20 ms of
CPU time a time: a third of what a short run costs. Here a process looks at them once, and a new
file is a copy of an empty one. What is in the files is the same, so that either storage opens what
the other one has written.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import sqlalchemy
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sqlite import create_db_conn_string
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy.pool import QueuePool

from orchestration.defs.linked_runs import LinkedRuns
from orchestration.defs.settled_events import SettledEvents

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from dagster._serdes import ConfigurableClassData
    from sqlalchemy.engine import Connection, Engine

_BUSY_SECONDS: Final = 30
_KEPT_SHARDS: Final = 32
_REVISION: Final = "SELECT version_num FROM alembic_version"


class _Shard(NamedTuple):
    """A database file of run events without events, and the revision of its schema."""

    content: bytes
    revision: str


# What this process, or the one that it was forked from, knows already.
_checked: Final[set[str]] = set()
_empty_shards: Final[list[_Shard]] = []


class _KeptOpen:
    """Keeps its connection: SQLite brings a database file up to date, with two waits for the disk,
    whenever its last connection is closed.
    """

    _conn_string: str

    @cached_property
    def _engine(self) -> Engine:
        return _make_engine(self._conn_string)

    @contextmanager
    def connect(self) -> Generator[Connection]:
        """A connection in a transaction."""
        with self._engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close what is open."""
        self._engine.dispose()


class RunStorage(LinkedRuns, _KeptOpen, SqliteRunStorage):
    """Runs and their tags."""


class ScheduleStorage(_KeptOpen, SqliteScheduleStorage):
    """Ticks, and the switches of schedules and sensors."""


class EventLogStorage(SettledEvents, SqliteEventLogStorage):
    """Events: a file for each run, and an index of what is asked for across runs."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, tuple[Engine, Lock]] = {}
        self._ready: set[str] = set()
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Generator[Connection]:
        engine, lock = self._engine_of(shard)
        with lock:
            if shard not in self._ready:
                self._initdb(engine)
                self._ready.add(shard)
            with engine.begin() as connection:
                yield connection

    def _engine_of(self, shard: str) -> tuple[Engine, Lock]:
        with self._db_lock:
            found = self._engines.get(shard)
            if found is None:
                if len(self._engines) >= _KEPT_SHARDS:
                    oldest, _ = self._engines.pop(next(iter(self._engines)))
                    oldest.dispose()
                found = (_make_engine(self.conn_string_for_shard(shard)), Lock())
                self._engines[shard] = found
            return found

    def dispose(self) -> None:
        """Close what is open."""
        for engine, _ in self._engines.values():
            engine.dispose()
        super().dispose()

    def prepare(self) -> None:
        """Learn what the file of a new run looks like; else the first run takes that time."""
        self._empty_shard()

    def _initdb(self, engine: Engine, for_index_shard: bool = False) -> None:  # noqa: FBT001, FBT002 - Dagster's signature
        """Make sure that the file has the newest schema; Dagster does what is not usual."""
        path = Path(engine.url.database or "")
        if not for_index_shard:
            shard = self._empty_shard()
            if _place(path, shard.content) or _revision(path) == shard.revision:
                return
        super()._initdb(engine, for_index_shard)

    def _empty_shard(self) -> _Shard:
        if not _empty_shards:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "shard.db")
                engine = _make_engine(f"sqlite:///{path}")
                super()._initdb(engine)
                engine.dispose()
                _empty_shards.append(_Shard(path.read_bytes(), _revision(path) or ""))
        return _empty_shards[0]


class EmbeddedStorage(DagsterSqliteStorage):
    """All three, below `base_dir`, in the places where Dagster's own storage has them."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        root = Path(base_dir).absolute()
        history, runs, schedules = root / "history", root / "history/runs", root / "schedules"
        if str(root) not in _checked:
            with _first_opening(root):
                super().__init__(str(root), inst_data)
            _checked.add(str(root))
        else:
            super(DagsterSqliteStorage, self).__init__()
        self.base_dir = str(root)
        self._inst_data = inst_data
        self._run_storage = RunStorage(create_db_conn_string(str(history), "runs"))
        self._event_log_storage = EventLogStorage(str(runs))
        self._schedule_storage = ScheduleStorage(create_db_conn_string(str(schedules), "schedules"))

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """The storage that `dagster.yaml` describes; called by Dagster."""
        return cls(config_value["base_dir"], inst_data)


def _make_engine(url: str) -> Engine:
    """Keeps one connection, and opens others for as long as they are needed."""
    return sqlalchemy.create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=-1,
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
    )


def _place(path: Path, content: bytes) -> bool:
    """Create the file with that content; False where there is one. Nobody sees a part of it."""
    if path.exists():
        return False
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        Path(temporary).unlink()
    return True


def _revision(path: Path) -> str | None:
    """The revision of the schema in the file; None where it has none."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute(_REVISION).fetchone()
    except sqlite3.Error:
        return None
    return row[0] if row else None


@contextmanager
def _first_opening(root: Path) -> Generator[None]:
    """One process at a time: two that create the tables at once leave a broken instance."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".opening").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
