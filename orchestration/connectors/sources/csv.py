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
    from _csv import Reader as _Reader
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
        for texts in _chunks(options, file, reading):
            yield file, type_texts(texts, types.__getitem__)


def _types(options: CsvOptions, files: Sequence[SourceFile], reading: Reading) -> dict[str, str]:
    """The type of each column: as declared, else as the table has it, else as all texts fit it."""
    from orchestration.connectors.columns import Inference

    names = dict.fromkeys(name for file in files for name in _header(options, file))
    known = {name: options.columns.get(name) or reading.known_type(name) for name in names}
    unknown = [name for name, kind in known.items() if kind is None]
    inference = Inference(unknown)
    for file in files if unknown else ():
        for texts in _chunks(options, file, None):
            inference.see(texts)
    return {name: kind for name, kind in known.items() if kind} | inference.types()


@contextmanager
def _open(options: CsvOptions, file: SourceFile) -> Generator[TextIO]:
    encoding = "utf-8-sig" if options.encoding.lower() in ("utf-8", "utf8") else options.encoding
    with (
        open_bytes(file) as stream,
        TextIOWrapper(stream, encoding, "surrogateescape", newline="") as text,
    ):
        yield text


def _header(options: CsvOptions, file: SourceFile) -> list[str]:
    with _open(options, file) as stream:
        return _parse_header(options, file, _reader(options, stream))


def _chunks(options: CsvOptions, file: SourceFile, reading: Reading | None) -> Iterator[Table]:
    with _open(options, file) as stream:
        reader = _reader(options, stream)
        names = _parse_header(options, file, reader)
        bad = partial(reading.reject, file) if reading else _ignore
        records = _records(reader, len(names), bad)
        while chunk := list(islice(records, _ROWS)):
            yield _texts(names, chunk, frozenset(options.null_values), bad)


def _parse_header(options: CsvOptions, file: SourceFile, reader: _Reader) -> list[str]:
    nothing: list[str] = []
    names = [name.strip() for name in next(reader, nothing)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if not names or not all(names) or twice:
        problem = f"has the column `{twice[0]}` twice" if twice else "has a column without a name"
        raise SourceError(
            f"the header of `{file.name}` {problem if names else 'is missing'}",
            help=f"the first line names the columns, with `{options.delimiter}` between them",
        )
    return names


def _records(reader: _Reader, width: int, bad: _Bad) -> Iterator[tuple[int, list[str]]]:
    """Each record with its line; what is none goes to `bad`. Empty lines are not records."""
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            bad(line, _reason(error, reader.line_num))
            continue
        if len(row) == width:
            yield line, row
        elif row:
            bad(line, f"{len(row)} fields where the header has {width}")


def _reason(error: csv.Error, last_line: int) -> str:
    if "unexpected end of data" in str(error):
        return f"a quoted field is never closed, up to the end of the file in line {last_line}"
    return str(error)


def _texts(
    names: list[str], chunk: list[tuple[int, list[str]]], nulls: frozenset[str], bad: _Bad
) -> Table:
    from orchestration.connectors.arrow import pa

    columns = zip(*(row for _, row in chunk), strict=True)
    try:
        return pa.table(
            {
                name: pa.array([None if text in nulls else text for text in column], pa.string())
                for name, column in zip(names, columns, strict=True)
            },
            schema=pa.schema([(name, pa.string()) for name in names]),
        )
    except UnicodeEncodeError:
        good = [record for record in chunk if _is_decoded(record[1])]
        for line, row in chunk:
            if not _is_decoded(row):
                bad(line, "bytes that are no text in the encoding of the file")
        return _texts(names, good, nulls, bad) if good else pa.table({name: [] for name in names})


def _is_decoded(row: list[str]) -> bool:
    return not any("\udc80" <= character <= "\udcff" for text in row for character in text)


def _reader(options: CsvOptions, stream: TextIO) -> _Reader:
    csv.field_size_limit(_LONGEST_FIELD)
    return csv.reader(stream, delimiter=options.delimiter, quotechar=options.quote, strict=True)


def _ignore(line: int, reason: str) -> None:
    """The pass that finds out types leaves bad records to the one that loads."""
