"""What the runtime asks of a source: first a plan, then the records."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from orchestration.connectors.checkpoint import Checkpoint, FileMark, Method, marks_of
from orchestration.connectors.dead_letters import (
    LONGEST_RECORD,
    Form,
    Reject,
    encode_json,
    encode_record,
    key_of,
)
from orchestration.connectors.errors import SourceError
from orchestration.domain.records import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from orchestration.connectors.dead_letters import Letter, Spool
    from orchestration.connectors.dedup import Window
    from orchestration.connectors.events import Emitter, Tally
    from orchestration.connectors.options import RecordOptions, SourceOptions

    Table = Any  # of pyarrow
    Batch = Table | list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of a source. `name` is its path from the working directory where it lies inside, with
    `/` between its parts: how events, checkpoints and the column `_source_file` call it.
    """

    path: Path
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What there is to do, found out without reading records.

    `nothing_new` means that the target already holds everything. `whole` means that all of the
    source is read again. `superseded` names files whose earlier records give way to those read now.
    `marks` are the marks of all files after the load.
    `rejected_earlier` counts the rejects of files that need no reading, by file name.
    """

    nothing_new: bool = False
    whole: bool = False
    to_read: tuple[SourceFile, ...] = ()
    superseded: tuple[str, ...] = ()
    marks: Mapping[str, FileMark] = field(default_factory=dict[str, FileMark])
    rejected_earlier: Mapping[str, int] = field(default_factory=dict[str, int])
    unchanged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a record was: a line of a file, or without a file its number among the records. One
    that is replayed comes from a `letter`. `texts` are what the file says, where that is more than
    the values that were made of it.
    """

    file: str | None
    number: int
    letter: Letter | None = None
    texts: Mapping[str, str] | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.number}" if self.file else f"record {self.number:,}"


class Origin(Protocol):
    """Where the records of one batch come from."""

    def spot(self, index: int, record: Mapping[str, Any]) -> Spot:
        """The spot of the record that is at `index` (from 0) of what is left of the batch."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOrigin:
    """A file; `line` gives the line of a record (from 1) by its index in the batch (from 0), and
    `texts` what stands there.
    """

    file: str
    line: Callable[[int], int]
    texts: Callable[[int], Mapping[str, str] | None] = lambda _: None

    def spot(self, index: int, record: Mapping[str, Any]) -> Spot:
        """As the protocol says."""
        del record  # no record leaves the batch of a file before it is checked
        return Spot(file=self.file, number=self.line(index), texts=self.texts(index))


class RecordOrigin:
    """A source that was asked for records; the first of `batch` has the number `first`."""

    def __init__(self, batch: Sequence[Mapping[str, Any]], first: int) -> None:
        self._batch = batch
        self._first = first

    def spot(self, index: int, record: Mapping[str, Any]) -> Spot:
        """As the protocol says; records below the cursor have left the batch before."""
        del index
        return Spot(file=None, number=self._numbers[id(record)])

    @cached_property
    def _numbers(self) -> dict[int, int]:
        return {id(record): number for number, record in enumerate(self._batch, self._first)}


@dataclass(slots=True, kw_only=True)
class Reading:
    """One pass over a source: what is known before, and what is found out on the way.

    `known_type` gives the type that the target's table has for a column of the source, in the
    words of `ColumnType`, or None, and `name_in_table` the name there; `wanted_types` are the types
    that the asset definition gives to others. `start` is the cursor value to start from, itself included. `origin` is that of the
    batch that was yielded last. `digest` is that of all records once they are read. What is
    rejected goes to `spool`; `window` holds the keys of records that came before.
    """

    tally: Tally
    emitter: Emitter
    known_type: Callable[[str], str | None]
    name_in_table: Callable[[str], str]
    spool: Spool
    window: Window | None = None
    wanted_types: Mapping[str, str] = field(default_factory=dict[str, str])
    start: Any = None
    origin: Origin | None = None
    rejects: dict[str, int] = field(default_factory=dict[str, int])
    digest: str | None = None

    def reject(
        self,
        file: SourceFile,
        line: int,
        reason: str,
        *,
        text: str | bytes,
        header: tuple[str, ...] = (),
    ) -> None:
        """Sets aside a record that cannot be read; `line` counts from 1, `text` is all of it."""
        self.tally.extracted += 1
        if isinstance(text, bytes):
            text = text.decode(errors="surrogateescape")
        record = encode_json(text.rstrip("\r\n"))
        spot = Spot(file=file.name, number=line)
        self._set_aside(Stage.READ, reason, spot, record=record, header=header)

    def reject_row(self, index: int, row: Mapping[str, Any], reason: str, form: Form) -> None:
        """Sets aside a record of the batch that was yielded last, since it breaks the schema."""
        self.tally.broken += 1
        spot = self.locate(index, row)
        record, types = encode_record(spot.texts or form.put(row))
        key = key_of(row, form.keys)
        self._set_aside(Stage.VALIDATE, reason, spot, record=record, types=types, key=key)

    def doubled(self, file: str) -> tuple[str, ...]:
        """The files that had brought records before which `file` has brought again."""
        return tuple(sorted(self.window.doubled.get(file, ()))) if self.window else ()

    def locate(self, index: int, row: Mapping[str, Any]) -> Spot:
        """Where a record of the batch that was yielded last comes from."""
        return self.origin.spot(index, row) if self.origin else Spot(file=None, number=index + 1)

    def reject_again(self, letter: Letter, reason: str) -> None:
        """Sends back a letter that still cannot be read."""
        self.send_back(letter, Stage.READ, reason)

    def send_back(self, letter: Letter, stage: Stage, reason: str) -> None:
        """Rejects the record of a letter again, so that the letter stays."""
        spot = Spot(file=letter.file, number=letter.position or 0, letter=letter)
        self._set_aside(stage, reason, spot, record=letter.record)

    def _set_aside(
        self,
        stage: Stage,
        reason: str,
        spot: Spot,
        *,
        record: str,
        types: Mapping[str, str] = MappingProxyType({}),
        header: tuple[str, ...] = (),
        key: list[str] | None = None,
    ) -> None:
        self.tally.invalid += 1
        if spot.file is not None:
            self.rejects[spot.file] = self.rejects.get(spot.file, 0) + 1
        self.emitter.rejected(spot.file, spot.number, reason)
        letter = spot.letter
        self.spool.add(
            Reject(
                id=letter.id if letter else self.spool.name(spot.file, record),
                stage=stage,
                reason=reason,
                file=spot.file,
                position=spot.number,
                record=letter.record if letter else record[:LONGEST_RECORD],
                types=letter.types if letter else dict(types),
                header=letter.header if letter else header,
                key=key,
                truncated=letter is None and len(record) > LONGEST_RECORD,
            )
        )


def missing_key(record: Mapping[str, Any], keys: Iterable[str]) -> str | None:
    """What is missing if a record lacks a value of the primary key, None if it has them all."""
    for key in keys:
        if record.get(key) is None:
            return f"no value for `{key}`, which is in the primary key"
    return None


class Source(Protocol):
    """A source with its options. `plan` comes first and imports nothing heavy."""

    @property
    def options(self) -> SourceOptions:
        """The validated options."""
        ...

    def plan(self, last: Checkpoint | None) -> Plan:
        """What there is to do since `last`; None means everything."""
        ...

    def read(self, plan: Plan, reading: Reading) -> Iterator[Batch]:
        """The records, in batches of bounded size."""
        ...

    def checkpoint(self, plan: Plan, reading: Reading, method: Method) -> Checkpoint:
        """What to remember once everything that `read` yielded is committed."""
        ...

    @property
    def form(self) -> Form:
        """How its records stand in dead letters."""
        ...


class RecordSource:
    """A source that is asked for records: from `Reading.start` on, or all of them.

    `ask` yields batches of records. `mark` gives the marks of the files behind the source, where
    it has any, so that nothing is read while they do not change.
    """

    def __init__(
        self,
        options: RecordOptions,
        ask: Callable[[Reading], Iterator[list[dict[str, Any]]]],
        mark: Callable[[Checkpoint | None], Mapping[str, FileMark]] | None = None,
    ) -> None:
        self.options = options
        self.form = Form(options.keys)
        self._ask = ask
        self._mark = mark

    def plan(self, last: Checkpoint | None) -> Plan:
        """Nothing is new only where the files behind the source are the same."""
        if self.options.incremental or self._mark is None:
            return Plan(whole=not self.options.incremental)
        marks = self._mark(last)
        return Plan(nothing_new=marks == marks_of(last), whole=True, marks=marks)

    def read(self, plan: Plan, reading: Reading) -> Iterator[list[dict[str, Any]]]:
        """The records, counted and, without a cursor, digested."""
        del plan  # all is read
        digest = blake2b(digest_size=16)
        for batch in self._ask(reading):
            reading.origin = RecordOrigin(batch=batch, first=reading.tally.extracted + 1)
            reading.tally.extracted += len(batch)
            self._check_keys(batch)
            if not self.options.incremental:
                digest.update(repr(batch).encode(errors="surrogatepass"))
            yield batch
        if not self.options.incremental:
            reading.digest = digest.hexdigest()

    def _check_keys(self, batch: list[dict[str, Any]]) -> None:
        keys = self.options.keys
        for record in batch if keys else ():
            missing = missing_key(record, keys)
            if missing:
                raise SourceError(
                    f"a record has {missing}", help="name a key that every record has"
                )

    def checkpoint(self, plan: Plan, reading: Reading, method: Method) -> Checkpoint:
        """The digest and the marks; cursors are remembered by dlt."""
        shape = self.options.shape
        return Checkpoint(method=method, shape=shape, files=plan.marks, digest=reading.digest)
