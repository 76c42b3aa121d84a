"""DuckDB: a table in a database file."""

from __future__ import annotations

import base64
import json
import re
import time
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from orchestration.connectors.errors import OptionsError, TargetBusyError, TargetError
from orchestration.connectors.events import Column, Written
from orchestration.connectors.names import IDENTIFIER, identifier
from orchestration.connectors.options import Duration, Name, Options, is_reference
from orchestration.connectors.paths import check_inside, locate
from orchestration.connectors.target import History
from orchestration.connectors.targets.duckdb_catalog import has_table
from orchestration.connectors.targets.duckdb_letters import DuckdbLetters
from orchestration.connectors.targets.duckdb_seen import DuckdbSeen
from orchestration.domain.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping
    from datetime import timedelta
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from orchestration.connectors.order import Order

_LETTERS = "_dead_letters"
_SEEN = "_seen_"
_LOCKED = "Could not set lock on file"
_WAIT_SECONDS = 0.1
_HOLDER = re.compile(r"held in (?P<program>\S+) \(PID (?P<pid>\d+)\)")
# Nothing is fetched from the network behind the user's back.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def _identifier(name: str) -> str:
    if not is_reference(name) and not IDENTIFIER.fullmatch(name):
        message = f"`{name}` is not in snake case, such as `{identifier(name)}`"
        raise ValueError(message)
    return name


def _free(name: str) -> str:
    if name.lower().removesuffix(".duckdb").endswith(_LETTERS):
        message = f"names that end in `{_LETTERS}` are those of dead letters"
        raise ValueError(message)
    return name


def _no_list_of_keys(name: str) -> str:
    if name.startswith(_SEEN):
        message = f"names that begin with `{_SEEN}` are those of the keys that `dedup` has seen"
        raise ValueError(message)
    return name


Identifier = Annotated[Name, AfterValidator(_identifier)]


class DuckdbOptions(Options):
    """Options of the target `duckdb`."""

    path: Annotated[Name, AfterValidator(_free)] = Field(
        description="The database file; it is made if it is not there. A relative path starts from "
        "the folder of `runner.yaml` and stays inside it."
    )
    dataset: Annotated[Identifier, AfterValidator(_free)] | None = Field(
        default=None,
        description="The schema of the table. By default it has the name of the tenant, or is "
        "`main` where the file is named after the tenant: DuckDB could not tell `acme` the file "
        "from `acme` the schema.",
    )
    table: Annotated[Identifier, AfterValidator(_no_list_of_keys)] | None = Field(
        default=None, description="The table; by default it has the name of the asset."
    )
    lock_timeout: Duration = Field(
        default="10s", description="How long to wait while another process has the file open."
    )


def target(options: DuckdbOptions, order: Order) -> DuckdbTarget:
    """The table that the job fills.

    Raises:
        OptionsError: the path leads out of the workspace, or the names cannot be told apart.
    """
    if options.path.startswith((":", "md:", "motherduck:")):
        raise OptionsError(f"`{options.path}` is no database file", help="give the path of a file")
    path = check_inside(
        locate(options.path, order.working_directory), options.path, order.working_directory
    )
    catalog = path.stem.lower()
    tenant = identifier(order.tenant)
    dataset = options.dataset or ("main" if tenant == catalog else tenant)
    if dataset == catalog:
        raise OptionsError(
            f"the dataset `{dataset}` has the name of the file `{options.path}`",
            help=f"DuckDB cannot tell them apart in `{dataset}.table`; rename one of them",
        )
    if catalog.endswith(_LETTERS) or dataset.endswith(_LETTERS):
        raise OptionsError(
            f"the name of `{options.path}`, or its dataset `{dataset}`, is one for dead letters",
            help=f"names that end in `{_LETTERS}` are; give another `path` or `dataset`",
        )
    table = options.table or identifier(order.asset)
    letters = DuckdbLetters(f"{tenant}{_LETTERS}", identifier(order.name), order.job)
    return DuckdbTarget(
        path, dataset, table, letters, patience=parse_duration(options.lock_timeout)
    )


class DuckdbTarget:
    """A table of a DuckDB file. Each use opens the file and closes it again, so that others can
    read it while data is extracted.
    """

    def __init__(
        self,
        path: Path,
        dataset: str,
        table: str,
        letters: DuckdbLetters,
        *,
        patience: timedelta,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path = path
        self.dataset = dataset
        self.table = table
        self.letters = letters
        self.seen = DuckdbSeen(dataset, f"{_SEEN}{table}")
        self._patience = patience
        self._sleep = sleep

    @property
    def label(self) -> str:
        """`dataset.table`; `file.table` in the schema `main`, as DuckDB reads it too."""
        return f"{self.path.stem if self.dataset == 'main' else self.dataset}.{self.table}"

    @property
    def is_there(self) -> bool:
        """Whether the file exists."""
        return self.path.exists()

    def history(self, pipeline: str) -> History:
        """What the table's file says of that pipeline and of the table.

        Raises:
            TargetError: the file cannot be read.
            TargetBusyError: another process is writing it.
        """
        if not self.is_there:
            return History()
        with self.reading() as connection:
            return History(
                state=_last_state(connection, self.dataset, pipeline),
                table_exists=bool(self.columns(connection)),
                letters=self.letters.count_by_file(connection),
            )

    def written(self) -> Written | None:
        """What the table holds, None if there is none; nothing counts as written by us."""
        if not self.is_there:
            return None
        with self.reading() as connection:
            return self.facts(connection)

    def facts(self, connection: DuckDBPyConnection) -> Written | None:
        """What the table holds, None if there is none."""
        columns = self.columns(connection)
        if not columns:
            return None
        counted = connection.execute(f"SELECT count(*) FROM {self._quoted(self.table)}")  # noqa: S608 - quoted
        row = counted.fetchone()
        return Written(table=self.label, row_count=row[0] if row else 0, columns=columns)

    def columns(self, connection: DuckDBPyConnection) -> tuple[Column, ...]:
        """The columns of the table without those of dlt; none if there is no table."""
        rows = connection.execute(
            "SELECT column_name, data_type FROM information_schema.columns "
            "WHERE table_catalog = current_database() AND table_schema = ? AND table_name = ? "
            "AND NOT starts_with(column_name, '_dlt_') ORDER BY ordinal_position",
            [self.dataset, self.table],
        )
        return tuple(Column(name=name, type=kind) for name, kind in rows.fetchall())

    def destination(self, current: Callable[[], DuckDBPyConnection]) -> Any:
        """The dlt destination, working on the connection that `current` returns."""
        from orchestration.connectors.transaction import duckdb_destination

        return duckdb_destination(self.path, current)

    @contextmanager
    def reading(self) -> Generator[DuckDBPyConnection]:
        """A connection that only reads."""
        with self._connected(read_only=True) as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Generator[DuckDBPyConnection]:
        """A connection whose changes are all kept when the block ends, or none of them.

        Raises:
            TargetError: the file cannot be written.
            TargetBusyError: another process uses it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._connected(read_only=False) as connection:
            connection.begin()
            yield connection
            connection.commit()

    def forget(self, connection: DuckDBPyConnection, pipeline: str) -> None:
        """Drops the table with the keys that were seen, and what dlt stored for that pipeline."""
        self.seen.forget(connection)
        staging = f"{self.dataset}_staging"
        connection.execute(f"DROP TABLE IF EXISTS {self._quoted(self.table)}")
        connection.execute(f"DROP TABLE IF EXISTS {self._quoted(self.table, staging)}")
        for schema, table, column in (
            (self.dataset, "_dlt_version", "schema_name"),
            (staging, "_dlt_version", "schema_name"),
            (self.dataset, "_dlt_pipeline_state", "pipeline_name"),
        ):
            if has_table(connection, schema, table):
                stored = self._quoted(table, schema)
                connection.execute(f'DELETE FROM {stored} WHERE "{column}" = ?', [pipeline])  # noqa: S608 - quoted

    def clear(self, connection: DuckDBPyConnection) -> None:
        """Deletes all rows of the table, if it is there."""
        if has_table(connection, self.dataset, self.table):
            connection.execute(f"DELETE FROM {self._quoted(self.table)}")  # noqa: S608 - quoted

    def delete(self, connection: DuckDBPyConnection, column: str, values: Iterable[str]) -> None:
        """Deletes the rows with one of those values in `column`."""
        if has_table(connection, self.dataset, self.table):
            statement = f'DELETE FROM {self._quoted(self.table)} WHERE "{column}" IN '  # noqa: S608 - quoted
            connection.execute(f"{statement}(SELECT unnest(?::VARCHAR[]))", [list(values)])

    def describe(self, connection: DuckDBPyConnection, comments: Mapping[str, str]) -> None:
        """Sets the comments of columns, by name; columns that are not there are passed over."""
        rows = connection.execute(
            "SELECT column_name, coalesce(comment, '') FROM duckdb_columns() "
            "WHERE database_name = current_database() AND schema_name = ? AND table_name = ?",
            [self.dataset, self.table],
        )
        for column, comment in rows.fetchall():
            wanted = comments.get(column, comment)
            if wanted != comment:
                text = wanted.replace("'", "''")
                connection.execute(
                    f"COMMENT ON COLUMN {self._quoted(self.table)}.\"{column}\" IS '{text}'"
                )

    def rows(self, load_id: str | None = None) -> str:
        """A query for the rows, or for those that one load brought."""
        where = f"WHERE _dlt_load_id = '{load_id}'" if load_id else ""
        return f"SELECT * FROM {self._quoted(self.table)} {where}"  # noqa: S608 - quoted

    @contextmanager
    def _connected(self, *, read_only: bool) -> Generator[DuckDBPyConnection]:
        import duckdb

        try:
            connection = self._connect(read_only=read_only)
            try:
                connection.execute("SET TimeZone = 'UTC'")
                yield connection
            finally:
                connection.close()
        except (duckdb.Error, OSError) as error:
            raise self._explained(error) from error

    def _connect(self, *, read_only: bool) -> DuckDBPyConnection:
        """Waits while another process has the file open, for as long as the options say."""
        import duckdb

        deadline = time.monotonic() + self._patience.total_seconds()
        while True:
            try:
                return duckdb.connect(str(self.path), read_only=read_only, config=_CONFIG)
            except duckdb.IOException as error:
                if _LOCKED not in str(error) or time.monotonic() > deadline:
                    raise
            self._sleep(_WAIT_SECONDS)

    def _explained(self, error: Exception) -> TargetError:
        message = str(error).partition("\n")[0]
        if _LOCKED not in message:
            return TargetError(f"`{self.path}` answers: {message}", help="see the message")
        holder = _HOLDER.search(message)
        who = f"by {holder['program']} (process {holder['pid']})" if holder else "elsewhere"
        return TargetBusyError(
            f"the database `{self.path}` is locked {who}",
            help="DuckDB lets one process at a time write; close the other one, or retry later",
        )

    def _quoted(self, table: str, schema: str | None = None) -> str:
        return f'"{schema or self.dataset}"."{table}"'


def _last_state(
    connection: DuckDBPyConnection, dataset: str, pipeline: str
) -> dict[str, Any] | None:
    """The pipeline state that dlt committed last, as it reads it itself."""
    if not has_table(connection, dataset, "_dlt_pipeline_state"):
        return None
    row = connection.execute(
        f'SELECT s.state FROM "{dataset}"._dlt_pipeline_state AS s '  # noqa: S608 - an identifier
        f'JOIN "{dataset}"._dlt_loads AS l ON l.load_id = s._dlt_load_id '
        "WHERE s.pipeline_name = ? AND l.status = 0 ORDER BY l.load_id DESC LIMIT 1",
        [pipeline],
    ).fetchone()
    return json.loads(zlib.decompress(base64.b64decode(row[0]))) if row else None
