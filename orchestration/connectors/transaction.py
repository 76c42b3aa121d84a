"""dlt's DuckDB destination, working on one connection of ours instead of many of its own.

dlt commits each file of a load by itself. A process that is killed between two of them leaves a
part of the data behind, and its next run cannot tell which. On one connection all of it, the
rows, the columns, dlt's state and our checkpoint, is one transaction: it happens or it does not.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dlt
import duckdb
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from duckdb import DuckDBPyConnection


def duckdb_destination(path: Path, current: Callable[[], DuckDBPyConnection]) -> Any:
    """A dlt destination that uses the connection that `current` returns, and never commits.

    Only `Pipeline.load(workers=1)` fits it: with one worker dlt starts no threads.
    """
    sql_client = _sql_client_class(current)

    class Client(DuckDbClient):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            theirs = self.sql_client
            self.sql_client = sql_client(
                theirs.dataset_name,
                theirs.staging_dataset_name,
                theirs.credentials,
                theirs.capabilities,
            )

        def _row_to_schema_info(self, query: str, *args: Any) -> Any:
            """As the original, which asks tables that may not exist and takes the error for a no:
            in DuckDB every error ends the transaction.
            """
            exists, _ = self.get_storage_table(self.schema.version_table_name)
            return super()._row_to_schema_info(query, *args) if exists else None

    class Duckdb(dlt.destinations.duckdb):
        @property
        def client_class(self) -> type[DuckDbClient]:
            return Client

        @property
        def destination_type(self) -> str:
            return "dlt.destinations.duckdb"

    return Duckdb({"database": str(path)})


def _sql_client_class(current: Callable[[], DuckDBPyConnection]) -> type[DuckDbSqlClient]:
    class SqlClient(DuckDbSqlClient):
        def open_connection(self) -> DuckDBPyConnection:
            self._conn = current()
            return self._conn

        def close_connection(self) -> None:
            self._conn = None  # pyright: ignore[reportAttributeAccessIssue] - as the original does

        @contextmanager
        def begin_transaction(self) -> Generator[Any]:
            yield self

        @contextmanager
        def execute_query(self, query: Any, *args: Any, **kwargs: Any) -> Generator[Any]:
            """As the original, but a query that fails does not roll back what is not its own."""
            parameters = args or kwargs or None
            sql = query.replace("%s", "?") if parameters else query
            try:
                cursor: Any = self.native_connection.execute(sql, parameters)
                yield self.cursor_impl(cursor)
            except duckdb.Error as error:
                raise self._make_database_exception(error) from error

    return SqlClient
