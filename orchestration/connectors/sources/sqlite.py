"""SQLite: a table or a query."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import Field, model_validator

from orchestration.connectors.checkpoint import marks_of
from orchestration.connectors.errors import SourceError
from orchestration.connectors.files import find_files, mark_file
from orchestration.connectors.options import Name, RecordOptions
from orchestration.connectors.source import RecordSource, SourceFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestration.connectors.checkpoint import Checkpoint, FileMark
    from orchestration.connectors.source import Reading

_ROWS = 5_000
_BUSY_SECONDS = 10


class SqliteOptions(RecordOptions):
    """Options of the source `sqlite`."""

    path: Name = Field(
        description="The database file. A relative path starts from the folder of `runner.yaml` "
        "and stays inside it. It is opened read-only."
    )
    table: Name | None = Field(default=None, description="The table to read. Or give a `query`.")
    query: Name | None = Field(
        default=None, description="A SELECT statement whose rows to read. Or give a `table`."
    )

    @model_validator(mode="after")
    def _table_or_query(self) -> SqliteOptions:
        if (self.table is None) == (self.query is None):
            message = "give either `table` or `query`"
            raise ValueError(message)
        return self


def source(options: SqliteOptions, folder: Path) -> RecordSource:
    """The rows of a SQLite table or query."""
    return RecordSource(
        options, partial(_ask, options, folder), mark=partial(_mark, options, folder)
    )


def _database(options: SqliteOptions, folder: Path) -> SourceFile:
    return find_files(options.path, folder)[0]


def _mark(options: SqliteOptions, folder: Path, last: Checkpoint | None) -> Mapping[str, FileMark]:
    """The marks of the database and of its write-ahead log."""
    file = _database(options, folder)
    log = SourceFile(path=Path(f"{file.path}-wal"), name=f"{file.name}-wal")
    before = marks_of(last)
    found = [file, log] if log.path.exists() else [file]
    return {each.name: mark_file(each, before.get(each.name)) for each in found}


def _ask(options: SqliteOptions, folder: Path, reading: Reading) -> Iterator[list[dict[str, Any]]]:
    file = _database(options, folder)
    sql, values = _select(options, reading.start)
    try:
        with closing(_connect(file.path)) as connection:
            cursor = connection.execute(sql, values)
            names = [column[0] for column in cursor.description]
            while rows := cursor.fetchmany(_ROWS):
                yield [dict(zip(names, row, strict=True)) for row in rows]
    except sqlite3.Error as error:
        raise SourceError(
            f"`{file.name}` answers: {error}", help=f"the statement was `{sql}`"
        ) from error


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_BUSY_SECONDS)


def _select(options: SqliteOptions, start: Any) -> tuple[str, tuple[Any, ...]]:
    """The statement and its values. Rows without a cursor value are asked for too, so that they
    fail the run instead of never being loaded.
    """
    if options.query is not None:
        rows = f"({options.query.strip().rstrip(';')})"
    else:
        rows = _quoted(options.table or "")
    sql = f"SELECT * FROM {rows}"  # noqa: S608 - the statement is the user's own, on a read-only file
    if options.incremental is None:
        return sql, ()
    cursor = _quoted(options.incremental.cursor)
    if start is None:
        return f"{sql} ORDER BY {cursor}", ()
    return f"{sql} WHERE {cursor} >= ? OR {cursor} IS NULL ORDER BY {cursor}", (start,)


def _quoted(name: str) -> str:
    """The identifier in backticks: in double quotes SQLite takes an unknown one for a text."""
    return "`{}`".format(name.replace("`", "``"))
