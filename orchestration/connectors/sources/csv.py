"""CSV files: one record a line, a header first."""

from __future__ import annotations

import codecs
import csv
from collections import Counter, deque
from contextlib import contextmanager
from functools import partial
from io import StringIO, TextIOWrapper
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TextIO

from pydantic import AfterValidator, Field

from orchestration.connectors.dead_letters import Form, decode_record
from orchestration.connectors.errors import SourceError
from orchestration.connectors.files import FileSource, open_bytes
from orchestration.connectors.options import FileOptions, is_reference
from orchestration.connectors.source import FileOrigin
from orchestration.domain.records import Stage

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from orchestration.connectors.dead_letters import Letter
    from orchestration.connectors.files import Piece
    from orchestration.connectors.source import Reading, SourceFile

    Table = Any  # of pyarrow
    _Chunk = list[tuple[int, list[str]]]

    class _Bad(Protocol):
        """Takes what is no record: its line, the reason, its text, and the header of the file."""

        def __call__(
            self, line: int, reason: str, *, text: str, header: tuple[str, ...]
        ) -> None: ...


_ROWS = 20_000
_LONGEST_FIELD = 16 * 1024 * 1024
_LINES_KEPT = 1_000
"""Of what is no record, this many lines go into its dead letter."""


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
    return FileSource(options, folder, partial(_read, options), CsvForm(options))


def _read(options: CsvOptions, files: Sequence[SourceFile], reading: Reading) -> Iterator[Piece]:
    from orchestration.connectors.columns import type_texts

    types = _types(options, files, reading)
    for file in files:
        with _opened(options, file, partial(reading.reject, file)) as rows:
            for chunk in rows.chunks():
                table = type_texts(rows.table(chunk), types.__getitem__)
                yield _origin(file, chunk, rows.names), table


def _origin(file: SourceFile, chunk: _Chunk, names: Sequence[str]) -> FileOrigin:
    return FileOrigin(
        file=file.name,
        line=lambda index: chunk[index][0],
        texts=lambda index: dict(zip(names, chunk[index][1], strict=True)),
    )


class CsvForm(Form):
    """A record is an object of texts, as in the file; a broken one the text of its lines, which is
    read again under the header that the file had.
    """

    from_text = True

    def __init__(self, options: CsvOptions) -> None:
        super().__init__(options.keys)
        self._options = options

    def take(self, letter: Letter) -> dict[str, Any]:
        """The texts of a letter."""
        if letter.stage is Stage.VALIDATE:
            nulls = self._options.null_values
            texts = super().take(letter).items()
            return {name: None if text in nulls else text for name, text in texts}
        text: str = decode_record(letter)
        header = f"{_written(self._options, letter.header)}\n"
        bad = _Failure()
        rows = _Rows(self._options, letter.file or "the letter", StringIO(header + text), bad)
        records = [row for chunk in rows.chunks() for row in rows.table(chunk).to_pylist()]
        if len(records) == 1 and not bad.reason:
            return records[0]
        raise ValueError(bad.reason or f"{len(records)} records where there is to be one")

    def batch(self, records: list[dict[str, Any]], reading: Reading) -> Table:
        """The texts, typed as those of a file are."""
        from orchestration.connectors.arrow import pa
        from orchestration.connectors.columns import type_texts

        names = dict.fromkeys(name for record in records for name in record)
        texts = {name: [record.get(name) for record in records] for name in names}
        table = pa.table({name: pa.array(column, pa.string()) for name, column in texts.items()})
        return type_texts(table, lambda name: _settled_type(self._options, name, reading) or "text")


class _Failure:
    """The reason why a text is no record."""

    reason = ""

    def __call__(self, line: int, reason: str, *, text: str, header: tuple[str, ...]) -> None:
        del line, text, header  # it is about one record
        self.reason = reason


def _written(options: CsvOptions, row: Sequence[str]) -> str:
    """The row as a line of the file, without its end."""
    line = StringIO()
    writer = csv.writer(
        line, delimiter=options.delimiter, quotechar=options.quote, lineterminator=""
    )
    writer.writerow(row)
    return line.getvalue()


def _settled_type(options: CsvOptions, name: str, reading: Reading) -> str | None:
    """As declared, else as the table has it, else as the asset definition wants it."""
    declared = options.columns.get(name)
    return declared or reading.known_type(name) or reading.wanted_types.get(name)


def _types(options: CsvOptions, files: Sequence[SourceFile], reading: Reading) -> dict[str, str]:
    """The type of each column: as it is settled, else as all texts fit it."""
    from orchestration.connectors.columns import Inference

    names: dict[str, None] = {}
    for file in files:
        with _opened(options, file, _ignore) as rows:
            names.update(dict.fromkeys(rows.names))
    known = {name: _settled_type(options, name, reading) for name in names}
    inference = Inference(name for name, kind in known.items() if kind is None)
    if not all(known.values()):
        for file in files:
            with _opened(options, file, _ignore) as rows:
                for chunk in rows.chunks():
                    inference.see(rows.table(chunk))
    return {name: kind for name, kind in known.items() if kind} | inference.types()


def _ignore(line: int, reason: str, *, text: str, header: tuple[str, ...]) -> None:
    """The pass that finds out types leaves bad records to the one that loads."""


@contextmanager
def _opened(options: CsvOptions, file: SourceFile, bad: _Bad) -> Generator[_Rows]:
    encoding = "utf-8-sig" if options.encoding.lower() in ("utf-8", "utf8") else options.encoding
    with (
        open_bytes(file) as stream,
        TextIOWrapper(stream, encoding, "surrogateescape", newline="") as text,
    ):
        yield _Rows(options, file.name, text, bad)


class _Rows:
    """One pass over a CSV file. What is no record goes to `bad`."""

    def __init__(self, options: CsvOptions, file: str, text: TextIO, bad: _Bad) -> None:
        csv.field_size_limit(_LONGEST_FIELD)
        self._options = options
        self._tape = deque[str](maxlen=_LINES_KEPT)
        lines = text if bad is _ignore else (self._tape.append(line) or line for line in text)
        self._reader = csv.reader(
            lines, delimiter=options.delimiter, quotechar=options.quote, strict=True
        )
        self._nulls = frozenset(options.null_values)
        self._bad = bad
        nothing: list[str] = []
        self.names = [name.strip() for name in next(self._reader, nothing)]
        self._check_header(options, file)
        self._keys = [self.names.index(key) for key in options.keys]

    def chunks(self) -> Iterator[_Chunk]:
        """The records with their lines, in lists of bounded size."""
        records = self._records()
        while chunk := list(islice(records, _ROWS)):
            yield chunk

    def table(self, chunk: _Chunk) -> Table:
        """The records of a chunk as texts. Those that are no text leave the chunk."""
        from orchestration.connectors.arrow import pa

        nulls = self._nulls
        columns = zip(*(row for _, row in chunk), strict=True) if chunk else [()] * len(self.names)
        try:
            arrays = [
                pa.array([None if text in nulls else text for text in column], pa.string())
                for column in columns
            ]
        except UnicodeEncodeError:
            chunk[:] = [record for record in chunk if self._is_decoded(*record)]
            return self.table(chunk)
        return pa.table(arrays, self.names)

    def _check_header(self, options: CsvOptions, file: str) -> None:
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
            f"the header of `{file}` {problem}",
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
                        self._set_aside(line, problem)
                    line = reader.line_num + 1
            except csv.Error as error:
                self._set_aside(line, self._reason(error))
            else:
                return

    def _set_aside(self, line: int, reason: str) -> None:
        """Gives what was read last, from `line` on, to `bad`."""
        lines = list(self._tape)[-(self._reader.line_num - line + 1) :]
        self._bad(line, reason, text="".join(lines), header=tuple(self.names))

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

    def _is_decoded(self, line: int, row: list[str]) -> bool:
        decoded = not any("\udc80" <= character <= "\udcff" for text in row for character in text)
        if not decoded:
            reason = "bytes that are no text in the encoding of the file"
            text = _written(self._options, row)
            self._bad(line, reason, text=text, header=tuple(self.names))
        return decoded
