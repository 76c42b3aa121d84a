"""Questions about a DuckDB file, and how instants stand in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def has_table(connection: DuckDBPyConnection, schema: str, table: str) -> bool:
    """Whether the table is there."""
    found = connection.execute(
        "SELECT 1 FROM information_schema.tables WHERE table_catalog = current_database() "
        "AND table_schema = ? AND table_name = ?",
        [schema, table],
    )
    return found.fetchone() is not None


def microseconds(instant: datetime) -> int:
    """The instant as microseconds since 1970."""
    return (instant - EPOCH) // timedelta(microseconds=1)
