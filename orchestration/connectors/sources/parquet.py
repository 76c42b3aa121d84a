"""Parquet files: passed through as Arrow tables."""

from __future__ import annotations

import operator
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from orchestration.connectors.dead_letters import Form
from orchestration.connectors.errors import SourceError
from orchestration.connectors.files import FileSource
from orchestration.connectors.options import FileOptions
from orchestration.connectors.source import FileOrigin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from orchestration.connectors.files import Piece
    from orchestration.connectors.source import Reading, SourceFile

    Table = Any  # of pyarrow

_ROWS = 65_536


class ParquetOptions(FileOptions):
    """Options of the source `parquet`."""


def source(options: ParquetOptions, folder: Path) -> FileSource:
    """The rows of Parquet files."""
    return FileSource(options, folder, partial(_read, options), ParquetForm(options))


def _read(
    options: ParquetOptions, files: Sequence[SourceFile], reading: Reading
) -> Iterator[Piece]:
    from orchestration.connectors.columns import conform

    wanted_type = partial(_wanted_type, options, reading)
    for file in files:
        first = 1
        for table in _tables(file):
            _check_keys(options, file, table)
            origin = FileOrigin(file=file.name, line=partial(operator.add, first))
            yield origin, conform(table, wanted_type)
            first += len(table)


def _wanted_type(options: ParquetOptions, reading: Reading, column: str) -> str | None:
    return options.columns.get(column) or reading.known_type(column)


class ParquetForm(Form):
    """Records come back as a table, with the types that their values had."""

    def __init__(self, options: ParquetOptions) -> None:
        super().__init__(options.keys)
        self._options = options

    def batch(self, records: list[dict[str, Any]], reading: Reading) -> Table:
        """The table that the records make, as one of a file is.

        Raises:
            SourceError: a column would have values of several types.
        """
        from orchestration.connectors.arrow import pa
        from orchestration.connectors.columns import conform

        names = dict.fromkeys(name for record in records for name in record)
        columns = {name: _array(name, [record.get(name) for record in records]) for name in names}
        known = {name: one for name, one in columns.items() if not pa.types.is_null(one.type)}
        wanted_type = partial(_wanted_type, self._options, reading)
        return conform(pa.table(known or columns), wanted_type)


def _array(name: str, values: list[Any]) -> Any:
    from orchestration.connectors.arrow import pa

    try:
        return pa.array(values)
    except pa.ArrowException as error:
        raise SourceError(
            f"the dead letters have values of several types for `{name}`",
            help="replay them apart, by `--run` or one by one",
        ) from error


def _check_keys(options: ParquetOptions, file: SourceFile, table: Table) -> None:
    for key in options.keys:
        if key not in table.column_names or table.column(key).null_count:
            raise SourceError(
                f"`{file.name}` has rows without a value for `{key}`, which is in the primary key",
                help="name a key that every row has",
            )


def _tables(file: SourceFile) -> Iterator[Table]:
    from orchestration.connectors.arrow import pa

    pq: Any = import_module("pyarrow.parquet")
    try:
        with pq.ParquetFile(file.path) as parquet:
            for batch in parquet.iter_batches(_ROWS):
                yield pa.Table.from_batches([batch])
    except (OSError, pa.ArrowException) as error:
        raise SourceError(
            f"`{file.name}` cannot be read: {error}", help="is it a whole Parquet file?"
        ) from error
