"""JSON Lines files: one JSON object a line."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from orchestration.connectors.dead_letters import Form, decode_record
from orchestration.connectors.files import FileSource, open_bytes
from orchestration.connectors.jsontext import parse_json
from orchestration.connectors.options import FileOptions
from orchestration.connectors.source import FileOrigin, missing_key
from orchestration.domain.records import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from orchestration.connectors.dead_letters import Letter
    from orchestration.connectors.files import Piece
    from orchestration.connectors.source import Reading, SourceFile

_RECORDS = 5_000


class JsonlOptions(FileOptions):
    """Options of the source `jsonl`."""


def source(options: JsonlOptions, folder: Path) -> FileSource:
    """The objects of JSON Lines files."""
    return FileSource(options, folder, partial(_read, options), JsonlForm(options.keys))


def _read(options: JsonlOptions, files: Sequence[SourceFile], reading: Reading) -> Iterator[Piece]:
    for file in files:
        batch: list[dict[str, Any]] = []
        lines = _Lines(1)
        with open_bytes(file) as stream:
            for number, line in enumerate(stream, start=1):
                reject = partial(reading.reject, file, number, text=line)
                record = _parse(line, options.keys, reject)
                if record is None:
                    lines.skipped.append(number)
                    continue
                batch.append(record)
                if len(batch) >= _RECORDS:
                    yield FileOrigin(file=file.name, line=lines.line), batch
                    batch, lines = [], _Lines(number + 1)
        if batch:
            yield FileOrigin(file=file.name, line=lines.line), batch


class _Lines:
    """The lines of a batch that begins at line `first`, without those that are `skipped`."""

    def __init__(self, first: int) -> None:
        self._first = first
        self.skipped: list[int] = []

    def line(self, index: int) -> int:
        """The line of the record at `index`."""
        line = self._first + index
        for skipped in self.skipped:
            if skipped > line:
                break
            line += 1
        return line


class JsonlForm(Form):
    """Lines that could not be read are tried again as they were."""

    def take(self, letter: Letter) -> dict[str, Any]:
        """The record of a letter."""
        if letter.stage is Stage.VALIDATE:
            return super().take(letter)
        reasons: list[str] = []
        text: str = decode_record(letter)
        record = _parse(text.encode(errors="surrogateescape"), self.keys, reasons.append)
        if record is None:
            raise ValueError(reasons[0])
        return record


def _parse(
    line: bytes, keys: tuple[str, ...], reject: Callable[..., None]
) -> dict[str, Any] | None:
    """The object of one line; None for an empty line and for what was rejected."""
    text = line.strip()
    if not text:
        return None
    try:
        value = parse_json(text)
    except (ValueError, RecursionError) as error:
        return reject(_reason(error))
    if not isinstance(value, dict):
        return reject("valid JSON, but no object")
    record = cast("dict[str, Any]", value)
    missing = missing_key(record, keys)
    return reject(missing) if missing else record


def _reason(error: Exception) -> str:
    """What is wrong, without anything of the data."""
    match error:
        case json.JSONDecodeError():
            return f"no valid JSON: {error.msg} (column {error.colno})"
        case UnicodeError():
            return "characters that are no text in UTF-8"
        case RecursionError():
            return "nested too deeply"
        case _:
            return f"no valid JSON: {error}"
