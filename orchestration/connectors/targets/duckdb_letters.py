"""Dead letters in DuckDB: a schema for each tenant, a table for each job."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from orchestration.connectors.dead_letters import Letter
from orchestration.connectors.targets.duckdb_catalog import EPOCH, execute, has_table, microseconds
from orchestration.domain.records import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from orchestration.connectors.dead_letters import Gone, Reject, Stamp
    from orchestration.domain.records import LetterFilter

_ROWS = 5_000
_COLUMNS = """
    id VARCHAR, job VARCHAR, stage VARCHAR, reason VARCHAR, run_id VARCHAR, attempt INTEGER,
    file VARCHAR, "position" BIGINT, first_seen TIMESTAMPTZ, last_seen TIMESTAMPTZ,
    failures INTEGER, record VARCHAR, types VARCHAR, header VARCHAR, key VARCHAR,
    truncated BOOLEAN, load_id VARCHAR
"""
_SELECTED = (
    'id, stage, reason, run_id, attempt, file, "position", epoch_us(first_seen), '
    "epoch_us(last_seen), failures, record, types, header, truncated"
)


class DuckdbLetters:
    """The dead letters of one job. Each method works on the connection, and in the transaction, of
    its caller; without the table there are none.
    """

    def __init__(self, schema: str, table: str, job: str) -> None:
        self._schema = schema
        self._table = table
        self._job = job

    @property
    def label(self) -> str:
        """The table as a person writes it in a query."""
        return f"{self._schema}.{self._table}"

    def exists(self, connection: DuckDBPyConnection) -> bool:
        """Whether the table is there."""
        return has_table(connection, self._schema, self._table)

    def count_by_file(self, connection: DuckDBPyConnection) -> dict[str, int] | None:
        """How many letters each file has; None if there is no table."""
        if not self.exists(connection):
            return None
        rows = execute(
            connection,
            f"SELECT coalesce(file, ''), count(*) FROM {self._quoted} WHERE job = ? GROUP BY ALL",  # noqa: S608 - quoted
            [self._job],
        )
        return dict(rows)

    def count(self, connection: DuckDBPyConnection, wanted: LetterFilter) -> int:
        """How many letters fit, whatever the limit."""
        if not self.exists(connection):
            return 0
        where, values = self._where(wanted)
        ((count,),) = execute(connection, f"SELECT count(*) FROM {self._quoted} {where}", values)  # noqa: S608 - quoted
        return count

    def read(
        self, connection: DuckDBPyConnection, wanted: LetterFilter, *, oldest_first: bool = False
    ) -> Iterator[list[Letter]]:
        """The letters that fit, those that were seen last first, or those that were seen first, in
        batches of bounded size.
        """
        if not self.exists(connection):
            return
        where, values = self._where(wanted)
        order = "first_seen" if oldest_first else "last_seen DESC"
        limit = "" if wanted.limit is None else f"LIMIT {wanted.limit}"
        rows = connection.execute(
            f"SELECT {_SELECTED} FROM {self._quoted} {where} "  # noqa: S608 - quoted
            f'ORDER BY {order}, file, "position", id {limit}',
            values,
        )
        while chunk := rows.fetchmany(_ROWS):
            yield [_letter(row) for row in chunk]

    def replace(
        self,
        connection: DuckDBPyConnection,
        rejects: Iterable[Sequence[Reject]],
        gone: Gone,
        stamp: Stamp,
    ) -> None:
        """Writes the rejects of a load, and deletes the letters that it makes obsolete. One that
        was there already has one failure more.
        """
        if not self.exists(connection):
            execute(connection, f'CREATE SCHEMA IF NOT EXISTS "{self._schema}"')
            execute(connection, f"CREATE TABLE {self._quoted} ({_COLUMNS})")
        for batch in rejects:
            self._write(connection, batch, stamp)
        for condition, values in _obsolete(gone):
            execute(
                connection,
                f"DELETE FROM {self._quoted} WHERE job = ? AND load_id <> ? AND {condition}",  # noqa: S608 - quoted
                [self._job, stamp.load, *values],
            )

    def outdate(self, connection: DuckDBPyConnection, rows: str, columns: Sequence[str]) -> None:
        """Deletes the letters whose record came again: `rows` is a query for what was loaded, and
        `columns` are those of the primary key.
        """
        values = ", ".join(f'CAST("{column}" AS VARCHAR)' for column in columns)
        execute(
            connection,
            f"DELETE FROM {self._quoted} WHERE job = ? AND key IN "  # noqa: S608 - quoted
            f"(SELECT concat_ws(chr(31), {values}) FROM ({rows}))",
            [self._job],
        )

    def drop(self, connection: DuckDBPyConnection, wanted: LetterFilter) -> int:
        """Deletes the letters that fit, and says how many there were."""
        ids = [letter.id for batch in self.read(connection, wanted) for letter in batch]
        if ids:
            execute(
                connection,
                f"DELETE FROM {self._quoted} WHERE job = ? AND id IN (SELECT unnest(?::VARCHAR[]))",  # noqa: S608 - quoted
                [self._job, ids],
            )
        return len(ids)

    def _write(self, connection: DuckDBPyConnection, batch: Sequence[Reject], stamp: Stamp) -> None:
        connection.register("_rejects", _table(batch))
        who = [stamp.run_id, stamp.attempt, microseconds(stamp.now), stamp.load]
        execute(
            connection,
            f"UPDATE {self._quoted} AS old SET stage = new.stage, reason = new.reason, "  # noqa: S608 - quoted
            'run_id = ?, attempt = ?, file = new.file, "position" = new."position", '
            "last_seen = make_timestamptz(?), failures = old.failures + 1, load_id = ? "
            "FROM _rejects AS new WHERE old.job = ? AND old.id = new.id",
            [*who, self._job],
        )
        execute(
            connection,
            f"INSERT INTO {self._quoted} SELECT id, $job, stage, reason, $run, $attempt, file, "  # noqa: S608 - quoted
            '"position", make_timestamptz($now), make_timestamptz($now), 1, record, types, header, '
            f"key, truncated, $load FROM _rejects WHERE id NOT IN (SELECT id FROM {self._quoted} "
            "WHERE job = $job)",
            dict(zip(("run", "attempt", "now", "load", "job"), (*who, self._job), strict=True)),
        )
        connection.unregister("_rejects")

    def _where(self, wanted: LetterFilter) -> tuple[str, list[Any]]:
        conditions, values = ["job = ?"], [self._job]
        if wanted.id:
            conditions.append("starts_with(id, ?)")
            values.append(wanted.id)
        if wanted.run:
            conditions.append("starts_with(run_id, ?)")
            values.append(wanted.run)
        if wanted.stage:
            conditions.append("stage = ?")
            values.append(wanted.stage.value)
        return f"WHERE {' AND '.join(conditions)}", values

    @property
    def _quoted(self) -> str:
        return f'"{self._schema}"."{self._table}"'


def _obsolete(gone: Gone) -> Iterator[tuple[str, list[Any]]]:
    """The conditions under which a letter is obsolete, each with its values."""
    if gone.everything:
        yield "true", []
    if gone.files:
        yield "file IN (SELECT unnest(?::VARCHAR[]))", [list(gone.files)]
    if gone.letters:
        yield "id IN (SELECT unnest(?::VARCHAR[]))", [list(gone.letters)]


def _table(batch: Sequence[Reject]) -> Any:
    from orchestration.connectors.arrow import pa

    text, number = pa.string(), pa.int64()
    columns: Mapping[str, tuple[Any, list[Any]]] = {
        "id": (text, [reject.id for reject in batch]),
        "stage": (text, [reject.stage.value for reject in batch]),
        "reason": (text, [reject.reason for reject in batch]),
        "file": (text, [reject.file for reject in batch]),
        "position": (number, [reject.position for reject in batch]),
        "record": (text, [reject.record for reject in batch]),
        "types": (text, [json.dumps(dict(reject.types)) for reject in batch]),
        "header": (text, [json.dumps(reject.header) for reject in batch]),
        "key": (text, [reject.key for reject in batch]),
        "truncated": (pa.bool_(), [reject.truncated for reject in batch]),
    }
    return pa.table({name: pa.array(values, kind) for name, (kind, values) in columns.items()})


def _letter(row: tuple[Any, ...]) -> Letter:
    values = dict(zip(_READ, row, strict=True))
    values |= {
        "stage": Stage(values["stage"]),
        "first_seen": EPOCH + timedelta(microseconds=values["first_seen"]),
        "last_seen": EPOCH + timedelta(microseconds=values["last_seen"]),
        "types": json.loads(values["types"]),
        "header": tuple(json.loads(values["header"])),
    }
    return Letter(**values)


_READ = tuple(Letter.__dataclass_fields__)
