"""Dead letters: records that were set aside, and how they get into a target and back out of it."""

from __future__ import annotations

import base64
import json
import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from orchestration.connectors.names import FILE_COLUMN
from orchestration.domain.records import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from io import TextIOWrapper
    from pathlib import Path

    from orchestration.connectors.source import Batch, Reading

LONGEST_RECORD = 256 * 1024
"""Characters of JSON; of a longer record the beginning is kept."""
_ROWS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter. `record` is JSON: an object, or a text where not even that could be read.

    `types` says of values that JSON has no type for which they are; `header` are the columns that
    the text of a CSV record had. `file` and `position` are where it was: a line of a file, or
    without a file the number of the record among those that were read. `failures` counts how often
    it was rejected, the first time included. A `truncated` one cannot be replayed.
    """

    id: str
    stage: Stage
    reason: str
    run_id: str
    attempt: int
    file: str | None
    position: int | None
    first_seen: datetime
    last_seen: datetime
    failures: int
    record: str
    types: Mapping[str, str] = field(default_factory=dict[str, str])
    header: tuple[str, ...] = ()
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A record that was rejected just now, on its way to become a dead letter, or to be one again.

    `key` are the values of the primary key, as `key_of` gives them.
    """

    id: str
    stage: Stage
    reason: str
    file: str | None
    position: int | None
    record: str
    types: Mapping[str, str]
    header: tuple[str, ...]
    key: list[str] | None
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """Which letters of a job, and keys that it has seen, a load makes obsolete: all of them, those
    of files that were read again, or letters that were replayed.
    """

    everything: bool = False
    files: tuple[str, ...] = ()
    letters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdated:
    """Letters, by their ids, whose record must not take the place of what is there: another letter
    with the same key is newer, or a row may be.
    """

    by_letter: frozenset[str] = frozenset()
    by_row: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Who sets records aside, and when. `load` is another one for every load."""

    run_id: str
    attempt: int
    now: datetime
    load: str


class Spool:
    """The rejects of a load, kept in a file until the load is committed: any number fits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIOWrapper | None = None
        self._alike = Counter[bytes]()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, reject: Reject) -> None:
        """Keeps a reject."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("w", encoding="utf-8")
        row = [getattr(reject, name) for name in Reject.__dataclass_fields__]
        self._file.write(f"{json.dumps(row)}\n")
        self._count += 1

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            self._file.close()

    def name(self, file: str | None, record: str) -> str:
        """The id of a record: that of the same record of the same file is the same in each run,
        and records that are alike are told apart by their number.
        """
        digest = blake2b(f"{file or ''}\0{record}".encode(errors="surrogatepass"), digest_size=12)
        alike = digest.digest()
        self._alike[alike] += 1
        digest.update(str(self._alike[alike]).encode())
        return digest.hexdigest()

    def batches(self) -> Iterator[list[Reject]]:
        """All rejects in their order, in batches of bounded size."""
        if self._file is None:
            return
        self._file.flush()
        with self._path.open(encoding="utf-8") as lines:
            while batch := [_parse_row(json.loads(line)) for line in islice(lines, _ROWS)]:
                yield batch


def _parse_row(row: list[Any]) -> Reject:
    values = dict(zip(Reject.__dataclass_fields__, row, strict=True))
    values |= {"stage": Stage(values["stage"]), "header": tuple(values["header"])}
    return Reject(**values)


class Form:
    """How the records of a source with that primary key stand in dead letters, and become batches
    again. `from_text` says that the source knows texts only.
    """

    from_text = False

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.keys = keys

    def put(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The record of a row on its way to the target."""
        return {name: value for name, value in row.items() if name != FILE_COLUMN}

    def take(self, letter: Letter) -> dict[str, Any]:
        """The record of a letter.

        Raises:
            ValueError: it still cannot be read; the text says why.
        """
        record = decode_record(letter)
        if not isinstance(record, dict):
            message = "not an object"
            raise ValueError(message)  # noqa: TRY004 - as for all that cannot be read
        return cast("dict[str, Any]", record)

    def batch(self, records: list[dict[str, Any]], reading: Reading) -> Batch:
        """The records as the source yields them."""
        del reading  # types of values are known
        return records


def encode_record(record: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The record as JSON, and the types of the values that JSON has no type for."""
    plain: dict[str, Any] = {}
    types: dict[str, str] = {}
    for name, value in record.items():
        plain[name], kind = _encode(value)
        if kind:
            types[name] = kind
    return encode_json(plain), types


def encode_json(value: Any) -> str:
    """The value as JSON, readable where its texts are."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, default=str)
    return text


def _encode(value: Any) -> tuple[Any, str]:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value), "double"
    for kind, name, write in _ENCODERS:
        if isinstance(value, kind):
            return write(value), name
    return value, ""


_ENCODERS: tuple[tuple[type, str, Callable[[Any], str]], ...] = (
    (datetime, "timestamp", datetime.isoformat),  # which is a date too, so it comes first
    (date, "date", date.isoformat),
    (time, "time", time.isoformat),
    (Decimal, "decimal", str),
    (bytes, "binary", lambda value: base64.b64encode(value).decode()),
)


_DECODERS = {
    "timestamp": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "decimal": Decimal,
    "binary": base64.b64decode,
    "double": float,
}


def decode_record(letter: Letter) -> Any:
    """The record of a letter, with the types that its values had."""
    value: Any = json.loads(letter.record)
    for name, kind in letter.types.items():
        value[name] = _DECODERS[kind](value[name])
    return value


def key_of(record: Mapping[str, Any], keys: Iterable[str]) -> list[str] | None:
    """The values of the primary key as texts that a database reads as values of their columns; None
    where there is no key, or where it lacks a value.
    """
    values = [record.get(key) for key in keys]
    if not values or any(value is None for value in values):
        return None
    return [_literal(value) for value in values]


def _literal(value: Any) -> str:
    if isinstance(value, bytes):
        return "".join(f"\\x{byte:02X}" for byte in value)
    return str(_encode(value)[0])
