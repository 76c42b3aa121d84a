"""The PostgreSQL database of an instance, by the driver that is installed, with whole runs.

`dagster-postgres` installs psycopg2. A URL that begins with `postgresql://`, as every tool writes
it, means another driver since SQLAlchemy 2.1, so the one that is meant is named here.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

import dagster as dg
import sqlalchemy
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
)

from orchestration.defs.linked_runs import LinkedRuns
from orchestration.defs.settled_events import SettledEvents

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from dagster._config.config_schema import UserConfigSchema
    from dagster._serdes import ConfigurableClassData
    from sqlalchemy.engine import Connection


_LOCK: Final = sqlalchemy.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


class RunStorage(LinkedRuns, PostgresRunStorage):
    """Runs and their tags, each change of both in one transaction.

    Dagster's own commits each statement. A scheduler that is killed between a new run and its tags
    then leaves a run that it does not find again, and makes a second one for the tick.
    """

    @contextmanager
    def connect(self) -> Generator[Connection]:
        """A connection in a transaction."""
        with super().connect() as connection:
            connection.execution_options(isolation_level="READ COMMITTED")
            with connection.begin():
                yield connection

    @contextmanager
    def exclusive(self, name: str) -> Generator[None]:
        """Alone with that name among all processes that use the database, as long as the block runs.
        The server lets go of it when the process or its machine is gone.
        """
        with self.connect() as connection:
            connection.execute(_LOCK, {"name": name})
            yield


class EventLogStorage(SettledEvents, PostgresEventLogStorage):
    """Events of all runs."""


class PostgresStorage(DagsterPostgresStorage):
    """Dagster's storage for runs, events and schedules at `postgres_url`."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, inst_data=inst_data)  # creates the tables
        self._run_storage = RunStorage(postgres_url)
        self._event_log_storage = EventLogStorage(postgres_url)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """The one setting."""
        return {"postgres_url": dg.StringSource}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """The storage that `dagster.yaml` describes; called by Dagster."""
        return cls(postgres_url=name_driver(config_value["postgres_url"]), inst_data=inst_data)


def name_driver(url: str) -> str:
    """The URL with the driver in its scheme."""
    return f"postgresql+psycopg2://{url.removeprefix('postgresql://')}"
