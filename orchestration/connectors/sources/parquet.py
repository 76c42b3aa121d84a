"""Parquet files: passed through as Arrow tables."""

from __future__ import annotations

import operator
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from orchestration.connectors.errors import SourceError
from orchestration.connectors.files import FileSource
from orchestration.connectors.options import FileOptions

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
    return FileSource(options, folder, partial(_read, options))


def _read(
    options: ParquetOptions, files: Sequence[SourceFile], reading: Reading
) -> Iterator[Piece]:
    from orchestration.connectors.columns import conform

    def wanted_type(column: str) -> str | None:
        return options.columns.get(column) or reading.known_type(column)

    for file in files:
        first = 1
        for table in _tables(file):
            _check_keys(options, file, table)
            yield file, conform(table, wanted_type), partial(operator.add, first)
            first += len(table)


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
