"""What the runtime asks of a source: first a plan, then the records."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

from orchestration.connectors.checkpoint import Checkpoint, FileMark, Method, marks_of
from orchestration.connectors.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

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

    `nothing_new` means that the target already holds everything. `superseded` names files whose
    earlier records give way to those read now. `marks` are the marks of all files after the load.
    `rejected_earlier` counts the rejects of files that need no reading, by file name.
    """

    nothing_new: bool = False
    to_read: tuple[SourceFile, ...] = ()
    superseded: tuple[str, ...] = ()
    marks: Mapping[str, FileMark] = field(default_factory=dict[str, FileMark])
    rejected_earlier: Mapping[str, int] = field(default_factory=dict[str, int])
    unchanged: int = 0


@dataclass(slots=True, kw_only=True)
class Reading:
    """One pass over a source: what is known before, and what is found out on the way.

    `known_type` gives the type that the target's table has for a column of the source, in the
    words of `ColumnType`, or None. `start` is the cursor value to start from, itself included.
    `digest` is that of all records once they are read.
    """

    tally: Tally
    emitter: Emitter
    known_type: Callable[[str], str | None]
    start: Any = None
    rejects: dict[str, int] = field(default_factory=dict[str, int])
    digest: str | None = None

    def reject(self, file: SourceFile, line: int, reason: str) -> None:
        """Counts and reports a record that cannot be loaded; `line` counts from 1."""
        self.tally.extracted += 1
        self.tally.invalid += 1
        self.rejects[file.name] = self.rejects.get(file.name, 0) + 1
        self.emitter.rejected(file.name, line, reason)


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
        self._ask = ask
        self._mark = mark

    def plan(self, last: Checkpoint | None) -> Plan:
        """Nothing is new only where the files behind the source are the same."""
        if self.options.incremental or self._mark is None:
            return Plan()
        marks = self._mark(last)
        return Plan(nothing_new=marks == marks_of(last), marks=marks)

    def read(self, plan: Plan, reading: Reading) -> Iterator[list[dict[str, Any]]]:
        """The records, counted and, without a cursor, digested."""
        del plan  # all is read
        digest = blake2b(digest_size=16)
        for batch in self._ask(reading):
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
