"""Questions about a DuckDB file, and how instants stand in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def execute(
    connection: DuckDBPyConnection, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()
) -> list[tuple[Any, ...]]:
    """The rows of a statement, all of them: DuckDB takes no other before the last row is read."""
    return connection.execute(sql, values or None).fetchall()


def has_table(connection: DuckDBPyConnection, schema: str, table: str) -> bool:
    """Whether the table is there."""
    found = execute(
        connection,
        "SELECT 1 FROM information_schema.tables WHERE table_catalog = current_database() "
        "AND table_schema = ? AND table_name = ?",
        [schema, table],
    )
    return bool(found)


def microseconds(instant: datetime) -> int:
    """The instant as microseconds since 1970."""
    return (instant - EPOCH) // timedelta(microseconds=1)
