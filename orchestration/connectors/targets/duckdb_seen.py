"""The keys that a job with `dedup` has committed, in DuckDB, beside its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.connectors.targets.duckdb_catalog import execute, has_table, microseconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from duckdb import DuckDBPyConnection

    from orchestration.connectors.dead_letters import Gone
    from orchestration.domain.records import Dedup

_COLUMNS = {"seq": "BIGINT", "key": "BLOB", "file": "VARCHAR", "seen_at": "BIGINT"}


class DuckdbSeen:
    """A table of keys in the order in which they were committed. Each method works on the
    connection, and in the transaction, of its caller.
    """

    def __init__(self, schema: str, table: str) -> None:
        self._schema = schema
        self._table = table

    def read(
        self, connection: DuckDBPyConnection, dedup: Dedup, gone: Gone, now: datetime
    ) -> list[tuple[bytes, str | None]]:
        """The keys that count at `now`, the oldest first, without those that are `gone`; each with
        the file that brought it.
        """
        if gone.everything or not self._exists(connection):
            return []
        rows = execute(
            connection,
            f"SELECT key, file FROM (SELECT key, file, seq FROM {self._quoted} WHERE seen_at > ? "  # noqa: S608 - quoted
            "AND (file IS NULL OR file NOT IN (SELECT unnest(?::VARCHAR[]))) "
            "ORDER BY seq DESC LIMIT ?) ORDER BY seq",
            [microseconds(now - dedup.within), list(gone.files), dedup.max_keys],
        )
        return [(key, file) for key, file in rows]

    def write(
        self,
        connection: DuckDBPyConnection,
        fresh: Sequence[tuple[bytes, str | None]],
        dedup: Dedup,
        gone: Gone,
        now: datetime,
    ) -> None:
        """Adds keys with their files, and forgets what is gone, too old or beyond `max_keys`."""
        if not self._exists(connection):
            execute(
                connection,
                f"CREATE TABLE {self._quoted} ({', '.join(map(' '.join, _COLUMNS.items()))})",
            )
        execute(
            connection,
            f"DELETE FROM {self._quoted} WHERE ? OR seen_at <= ? "  # noqa: S608 - quoted
            "OR file IN (SELECT unnest(?::VARCHAR[]))",
            [gone.everything, microseconds(now - dedup.within), list(gone.files)],
        )
        if fresh:
            self._insert(connection, fresh, now)
        execute(
            connection,
            f"DELETE FROM {self._quoted} WHERE seq <= "  # noqa: S608 - quoted
            f"(SELECT seq FROM {self._quoted} ORDER BY seq DESC LIMIT 1 OFFSET ?)",
            [dedup.max_keys],
        )

    def forget(self, connection: DuckDBPyConnection) -> None:
        """Forgets all keys. A table of that name that holds something else is somebody's data."""
        columns = execute(
            connection,
            "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database() "
            "AND schema_name = ? AND table_name = ? ORDER BY column_index",
            [self._schema, self._table],
        )
        if [name for (name,) in columns] == list(_COLUMNS):
            execute(connection, f"DROP TABLE {self._quoted}")

    def _insert(
        self,
        connection: DuckDBPyConnection,
        fresh: Sequence[tuple[bytes, str | None]],
        now: datetime,
    ) -> None:
        from orchestration.connectors.arrow import pa

        ((last,),) = execute(connection, f"SELECT coalesce(max(seq), 0) FROM {self._quoted}")  # noqa: S608 - quoted
        first = last + 1
        keys, files = zip(*fresh, strict=True)
        columns = {
            "seq": pa.array(range(first, first + len(fresh)), pa.int64()),
            "key": pa.array(keys, pa.binary()),
            "file": pa.array(files, pa.string()),
        }
        connection.register("_fresh", pa.table(columns))
        execute(
            connection,
            f"INSERT INTO {self._quoted} SELECT seq, key, file, ? FROM _fresh",  # noqa: S608 - quoted
            [microseconds(now)],
        )
        connection.unregister("_fresh")

    def _exists(self, connection: DuckDBPyConnection) -> bool:
        return has_table(connection, self._schema, self._table)

    @property
    def _quoted(self) -> str:
        return f'"{self._schema}"."{self._table}"'
