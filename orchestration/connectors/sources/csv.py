"""CSV files: one record a line, a header first."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from contextlib import contextmanager
from functools import partial
from io import TextIOWrapper
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, TextIO

from pydantic import AfterValidator, Field

from orchestration.connectors.errors import SourceError
from orchestration.connectors.files import FileSource, open_bytes
from orchestration.connectors.options import FileOptions, is_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from orchestration.connectors.source import Reading, SourceFile

    Table = Any  # of pyarrow
    _Bad = Callable[[int, str], None]

_ROWS = 20_000
_LONGEST_FIELD = 16 * 1024 * 1024


def _encoding(name: str) -> str:
    try:
        codecs.lookup("utf-8" if is_reference(name) else name)
    except LookupError as error:
        raise ValueError(str(error)) from error
    return name


class CsvOptions(FileOptions):
    """Options of the source `csv`."""

    delimiter: str = Field(
        default=",", min_length=1, max_length=1, description="What stands between two fields."
    )
    quote: str = Field(
        default='"',
        min_length=1,
        max_length=1,
        description="What stands around a field that holds a delimiter or a line break.",
    )
    encoding: Annotated[str, AfterValidator(_encoding)] = Field(
        default="utf-8", description="The encoding of the files."
    )
    null_values: list[str] = Field(
        default=[""], description="Texts that mean that there is no value."
    )


def source(options: CsvOptions, folder: Path) -> FileSource:
    """The records of CSV files."""
    return FileSource(options, folder, partial(_read, options))


def _read(
    options: CsvOptions, files: Sequence[SourceFile], reading: Reading
) -> Iterator[tuple[SourceFile, Table]]:
    from orchestration.connectors.columns import type_texts

    types = _types(options, files, reading)
    for file in files:
        for texts in _tables(options, file, partial(reading.reject, file)):
            yield file, type_texts(texts, types.__getitem__)


def _types(options: CsvOptions, files: Sequence[SourceFile], reading: Reading) -> dict[str, str]:
    """The type of each column: as declared, else as the table has it, else as all texts fit it."""
    from orchestration.connectors.columns import Inference

    names: dict[str, None] = {}
    for file in files:
        with _opened(options, file, _ignore) as rows:
            names.update(dict.fromkeys(rows.names))
    known = {name: options.columns.get(name) or reading.known_type(name) for name in names}
    inference = Inference(name for name, kind in known.items() if kind is None)
    if not all(known.values()):
        for file in files:
            for texts in _tables(options, file, _ignore):
                inference.see(texts)
    return {name: kind for name, kind in known.items() if kind} | inference.types()


def _ignore(line: int, reason: str) -> None:
    """The pass that finds out types leaves bad records to the one that loads."""


def _tables(options: CsvOptions, file: SourceFile, bad: _Bad) -> Iterator[Table]:
    with _opened(options, file, bad) as rows:
        yield from rows.tables()


@contextmanager
def _opened(options: CsvOptions, file: SourceFile, bad: _Bad) -> Generator[_Rows]:
    encoding = "utf-8-sig" if options.encoding.lower() in ("utf-8", "utf8") else options.encoding
    with (
        open_bytes(file) as stream,
        TextIOWrapper(stream, encoding, "surrogateescape", newline="") as text,
    ):
        yield _Rows(options, file, text, bad)


class _Rows:
    """One pass over a CSV file. What is no record goes to `bad`, with its line and the reason."""

    def __init__(self, options: CsvOptions, file: SourceFile, text: TextIO, bad: _Bad) -> None:
        csv.field_size_limit(_LONGEST_FIELD)
        self._reader = csv.reader(
            text, delimiter=options.delimiter, quotechar=options.quote, strict=True
        )
        self._nulls = frozenset(options.null_values)
        self._bad = bad
        nothing: list[str] = []
        self.names = [name.strip() for name in next(self._reader, nothing)]
        self._check_header(options, file)
        self._keys = [self.names.index(key) for key in options.keys]

    def tables(self) -> Iterator[Table]:
        """The records as texts, in tables of bounded size."""
        records = self._records()
        while chunk := list(islice(records, _ROWS)):
            yield self._table(chunk)

    def _check_header(self, options: CsvOptions, file: SourceFile) -> None:
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        missing = [key for key in options.keys if key not in self.names]
        if not self.names:
            problem = "is missing"
        elif twice:
            problem = f"has the column `{twice[0]}` twice"
        elif not all(self.names):
            problem = "has a column without a name"
        elif missing:
            problem = f"has no `{missing[0]}`, which is in the primary key"
        else:
            return
        raise SourceError(
            f"the header of `{file.name}` {problem}",
            help=f"the first line names the columns, with `{options.delimiter}` between them",
        )

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Each record with its line. Empty lines are not records."""
        reader = self._reader
        while True:
            line = reader.line_num + 1
            try:
                for row in reader:
                    problem = self._problem(row)
                    if problem is None:
                        yield line, row
                    elif row:
                        self._bad(line, problem)
                    line = reader.line_num + 1
            except csv.Error as error:
                self._bad(line, self._reason(error))
            else:
                return

    def _problem(self, row: list[str]) -> str | None:
        if len(row) != len(self.names):
            return f"{len(row)} fields where the header has {len(self.names)}"
        for position in self._keys:
            if row[position] in self._nulls:
                return f"no value for `{self.names[position]}`, which is in the primary key"
        return None

    def _reason(self, error: csv.Error) -> str:
        if "unexpected end of data" not in str(error):
            return str(error)
        end = f"up to the end of the file in line {self._reader.line_num}"
        return f"a quoted field is never closed, {end}"

    def _table(self, chunk: list[tuple[int, list[str]]]) -> Table:
        from orchestration.connectors.arrow import pa

        nulls = self._nulls
        columns = zip(*(row for _, row in chunk), strict=True) if chunk else [()] * len(self.names)
        try:
            arrays = [
                pa.array([None if text in nulls else text for text in column], pa.string())
                for column in columns
            ]
        except UnicodeEncodeError:
            return self._table([record for record in chunk if self._is_decoded(*record)])
        return pa.table(arrays, self.names)

    def _is_decoded(self, line: int, row: list[str]) -> bool:
        decoded = not any("\udc80" <= character <= "\udcff" for text in row for character in text)
        if not decoded:
            self._bad(line, "bytes that are no text in the encoding of the file")
        return decoded
