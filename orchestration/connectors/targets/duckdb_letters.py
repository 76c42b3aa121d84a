"""Dead letters in DuckDB: a schema for each tenant, a table for each job."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from orchestration.connectors.dead_letters import Letter, Outdated
from orchestration.connectors.names import FILE_COLUMN
from orchestration.connectors.targets.duckdb_catalog import EPOCH, execute, has_table, microseconds
from orchestration.domain.records import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from orchestration.connectors.dead_letters import Gone, Reject, Stamp
    from orchestration.connectors.events import Column
    from orchestration.domain.records import LetterFilter

_ROWS = 5_000
_COLUMNS = """
    id VARCHAR, job VARCHAR, stage VARCHAR, reason VARCHAR, run_id VARCHAR, attempt INTEGER,
    file VARCHAR, "position" BIGINT, first_seen TIMESTAMPTZ, last_seen TIMESTAMPTZ,
    failures INTEGER, record VARCHAR, types VARCHAR, header VARCHAR, key VARCHAR[],
    truncated BOOLEAN, load_id VARCHAR, source_load VARCHAR
"""
_SELECTED = (
    'id, stage, reason, run_id, attempt, file, "position", epoch_us(first_seen), '
    "epoch_us(last_seen), failures, record, types, header, truncated"
)
_TIES = 'file, "position", id'


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
        return self._count(connection, wanted, "")

    def count_cut_off(self, connection: DuckDBPyConnection, wanted: LetterFilter) -> int:
        """How many of the letters that fit hold only the beginning of a record."""
        return self._count(connection, wanted, "AND truncated")

    def _count(self, connection: DuckDBPyConnection, wanted: LetterFilter, more: str) -> int:
        if not self.exists(connection):
            return 0
        where, values = self._where(wanted)
        sql = f"SELECT count(*) FROM {self._quoted} {where} {more}"  # noqa: S608 - quoted
        ((count,),) = execute(connection, sql, values)
        return count

    def read(self, connection: DuckDBPyConnection, wanted: LetterFilter) -> Iterator[list[Letter]]:
        """The letters that fit, those that were seen last first, in batches of bounded size."""
        return self._read(connection, wanted, "ORDER BY last_seen DESC")

    def read_whole(
        self, connection: DuckDBPyConnection, wanted: LetterFilter
    ) -> Iterator[list[Letter]]:
        """As `read`, but the other way round and without those that are cut off: what came back in
        one replay comes last in the next one.
        """
        return self._read(connection, wanted, "AND NOT truncated ORDER BY last_seen")

    def _read(
        self, connection: DuckDBPyConnection, wanted: LetterFilter, order: str
    ) -> Iterator[list[Letter]]:
        if not self.exists(connection):
            return
        where, values = self._where(wanted)
        rows = connection.execute(
            f"SELECT {_SELECTED} FROM {self._quoted} {where} {order}, {_TIES} {_limit(wanted)}",  # noqa: S608 - quoted
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
        source_load: str | None,
    ) -> None:
        """Writes the rejects of a load, and deletes the letters that it makes obsolete. One that
        was there already has one failure more. `source_load` is the load in which the source brought
        them, None if they come from letters.
        """
        if not self.exists(connection):
            execute(connection, f'CREATE SCHEMA IF NOT EXISTS "{self._schema}"')
            execute(connection, f"CREATE TABLE {self._quoted} ({_COLUMNS})")
        for batch in rejects:
            self._write(connection, batch, stamp, source_load)
        for condition, values in _obsolete(gone):
            execute(
                connection,
                f"DELETE FROM {self._quoted} WHERE job = ? AND load_id <> ? AND {condition}",  # noqa: S608 - quoted
                [self._job, stamp.load, *values],
            )

    def outdate(
        self, connection: DuckDBPyConnection, rows: str, columns: Sequence[Column], stamp: Stamp
    ) -> None:
        """Deletes the letters of earlier loads whose record came again: `rows` is a query for what
        was loaded, and `columns` are those of the primary key, in its order.
        """
        execute(
            connection,
            f"DELETE FROM {self._quoted} WHERE job = $job AND id IN (SELECT letters.id FROM "  # noqa: S608 - quoted
            f"(SELECT id, {_typed(columns)} FROM {self._quoted} "
            "WHERE job = $job AND load_id <> $load) AS letters "
            f"JOIN ({rows}) AS rows ON {_same(columns)})",
            {"job": self._job, "load": stamp.load},
        )

    def find_outdated(
        self,
        connection: DuckDBPyConnection,
        keys: Mapping[str, Sequence[str]],
        rows: str | None,
        columns: Sequence[Column],
        *,
        have_files: bool,
    ) -> Outdated:
        """Which letters another letter or a row has overtaken. `keys` are those that are known now, by
        the ids of the letters. `rows` is a query for the rows, if there are any; `have_files` says
        whether they name theirs, which are read in the order of their names.

        A row of a later load may be newer, and one of the same load, unless it came from an earlier
        file. Surely newer it is not: a replay may have loaded it.
        """
        from orchestration.connectors.arrow import pa

        texts = pa.array(keys.values(), pa.list_(pa.string()))
        connection.register("_keys", pa.table({"id": pa.array(keys, pa.string()), "key": texts}))
        is_later_file = f'coalesce(letters.file > rows."{FILE_COLUMN}", false)'
        newer_row = (
            f"EXISTS (SELECT 1 FROM ({rows}) AS rows WHERE {_same(columns)} AND "  # noqa: S608 - quoted
            "(rows._dlt_load_id > letters.source_load OR rows._dlt_load_id = letters.source_load "
            f"AND NOT {is_later_file if have_files else 'false'}))"
        )
        found = execute(
            connection,
            'WITH known AS (SELECT id, coalesce(new.key, old.key) AS key, file, "position", source_load '  # noqa: S608 - quoted
            f"FROM {self._quoted} AS old LEFT JOIN _keys AS new USING (id) "
            f"WHERE job = ? AND NOT truncated), typed AS (SELECT *, {_typed(columns)} FROM known), "
            "letters AS (SELECT *, row_number() OVER "
            f"(PARTITION BY {_numbered(columns)} "
            'ORDER BY source_load DESC, file DESC, "position" DESC) AS age '
            f"FROM typed WHERE NOT ({' OR '.join(f'k{at} IS NULL' for at in _places(columns))})) "
            f"SELECT id, age > 1, {newer_row if rows else 'false'} FROM letters",
            [self._job],
        )
        connection.unregister("_keys")
        return Outdated(
            by_letter=frozenset(name for name, by_letter, _ in found if by_letter),
            by_row=frozenset(name for name, by_letter, by_row in found if by_row and not by_letter),
        )

    def drop(self, connection: DuckDBPyConnection, wanted: LetterFilter) -> int:
        """Deletes the letters that fit, and says how many there were."""
        if not self.exists(connection):
            return 0
        where, values = self._where(wanted)
        chosen = (
            f"SELECT id FROM {self._quoted} {where} "  # noqa: S608 - quoted
            f"ORDER BY last_seen DESC, {_TIES} {_limit(wanted)}"
        )
        ((count,),) = execute(
            connection,
            f"DELETE FROM {self._quoted} WHERE job = ? AND id IN ({chosen})",  # noqa: S608 - quoted
            [self._job, *values],
        )
        return count

    def _write(
        self,
        connection: DuckDBPyConnection,
        batch: Sequence[Reject],
        stamp: Stamp,
        source_load: str | None,
    ) -> None:
        connection.register("_rejects", _table(batch))
        who = [stamp.run_id, stamp.attempt, microseconds(stamp.now), stamp.load, source_load]
        execute(
            connection,
            f"UPDATE {self._quoted} AS old SET stage = new.stage, reason = new.reason, "  # noqa: S608 - quoted
            'run_id = ?, attempt = ?, file = new.file, "position" = new."position", '
            "last_seen = make_timestamptz(?), failures = old.failures + 1, load_id = ?, "
            "source_load = coalesce(?, old.source_load) "
            "FROM _rejects AS new WHERE old.job = ? AND old.id = new.id",
            [*who, self._job],
        )
        execute(
            connection,
            f"INSERT INTO {self._quoted} SELECT id, $job, stage, reason, $run, $attempt, file, "  # noqa: S608 - quoted
            '"position", make_timestamptz($now), make_timestamptz($now), 1, record, types, header, '
            "key, truncated, $load, $source FROM _rejects WHERE id NOT IN (SELECT id FROM "
            f"{self._quoted} WHERE job = $job)",
            dict(zip(_WHO, (*who, self._job), strict=True)),
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


def _limit(wanted: LetterFilter) -> str:
    return "" if wanted.limit is None else f"LIMIT {wanted.limit}"


def _places(columns: Sequence[Column]) -> range:
    return range(1, len(columns) + 1)


def _numbered(columns: Sequence[Column]) -> str:
    return ", ".join(f"k{at}" for at in _places(columns))


def _typed(columns: Sequence[Column]) -> str:
    """The key of a letter in the types of its columns, as `k1`, `k2`, ...; NULL where a value is
    none of that type.
    """
    typed = zip(_places(columns), columns, strict=True)
    return ", ".join(f"TRY_CAST(key[{at}] AS {column.type}) AS k{at}" for at, column in typed)


def _same(columns: Sequence[Column]) -> str:
    typed = zip(_places(columns), columns, strict=True)
    return " AND ".join(f'rows."{column.name}" = letters.k{at}' for at, column in typed)


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
        "key": (pa.list_(text), [reject.key for reject in batch]),
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


_WHO = ("run", "attempt", "now", "load", "source", "job")
_READ = tuple(Letter.__dataclass_fields__)
