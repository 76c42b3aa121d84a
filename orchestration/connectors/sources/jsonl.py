"""JSON Lines files: one JSON object a line."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from orchestration.connectors.files import FileSource, open_bytes
from orchestration.connectors.jsontext import parse_json
from orchestration.connectors.options import FileOptions
from orchestration.connectors.source import missing_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from orchestration.connectors.source import Reading, SourceFile

_RECORDS = 5_000


class JsonlOptions(FileOptions):
    """Options of the source `jsonl`."""


def source(options: JsonlOptions, folder: Path) -> FileSource:
    """The objects of JSON Lines files."""
    return FileSource(options, folder, partial(_read, options))


def _read(
    options: JsonlOptions, files: Sequence[SourceFile], reading: Reading
) -> Iterator[tuple[SourceFile, list[dict[str, Any]]]]:
    for file in files:
        batch: list[dict[str, Any]] = []
        with open_bytes(file) as stream:
            for number, line in enumerate(stream, start=1):
                record = _parse(line, options.keys, partial(reading.reject, file, number))
                if record is not None:
                    batch.append(record)
                if len(batch) >= _RECORDS:
                    yield file, batch
                    batch = []
        if batch:
            yield file, batch


def _parse(
    line: bytes, keys: tuple[str, ...], reject: Callable[[str], None]
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
