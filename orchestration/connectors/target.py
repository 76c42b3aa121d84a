"""What the runtime asks of a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from orchestration.connectors.events import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from orchestration.connectors.dead_letters import Gone, Letter, Outdated, Reject, Stamp
    from orchestration.connectors.events import Written
    from orchestration.domain.records import Dedup, LetterFilter

    Connection = Any  # whatever the target's own methods take


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is in the target already: what dlt stored for the job, whether its table is there, and how
    many dead letters each file has (None where the job has had none yet).
    """

    state: dict[str, Any] | None = None
    table_exists: bool = False
    letters: Mapping[str, int] | None = None


class Letters(Protocol):
    """The dead letters of a job, in its target. Each method works in the transaction of its caller;
    `wanted` says which letters are meant.
    """

    @property
    def label(self) -> str:
        """The table as a person writes it in a query."""
        ...

    def exists(self, connection: Connection) -> bool:
        """Whether there is a place for letters yet."""
        ...

    def count(self, connection: Connection, wanted: LetterFilter) -> int:
        """How many letters fit, whatever the limit."""
        ...

    def count_cut_off(self, connection: Connection, wanted: LetterFilter) -> int:
        """How many of the letters that fit hold only the beginning of a record."""
        ...

    def read(self, connection: Connection, wanted: LetterFilter) -> Iterator[list[Letter]]:
        """The letters that fit, those that were seen last first, in batches of bounded size."""
        ...

    def read_whole(self, connection: Connection, wanted: LetterFilter) -> Iterator[list[Letter]]:
        """As `read`, but the other way round and without those that are cut off: what came back in
        one replay comes last in the next one.
        """
        ...

    def replace(
        self,
        connection: Connection,
        rejects: Iterable[Sequence[Reject]],
        gone: Gone,
        stamp: Stamp,
        source_load: str | None,
    ) -> None:
        """Writes the rejects of a load, and deletes the letters that it makes obsolete. One that
        was there already has one failure more. `source_load` is the load in which the source brought
        them, None if they come from letters.
        """
        ...

    def outdate(
        self, connection: Connection, rows: str, columns: Sequence[Column], stamp: Stamp
    ) -> None:
        """Deletes the letters of earlier loads whose record came again: `rows` is a query for what
        was loaded, and `columns` are those of the primary key, in its order.
        """
        ...

    def find_outdated(
        self,
        connection: Connection,
        keys: Mapping[str, Sequence[str]],
        rows: str | None,
        columns: Sequence[Column],
        *,
        have_files: bool,
    ) -> Outdated:
        """Which letters another letter or a row has overtaken. `keys` are those that are known now, by
        the ids of the letters. `rows` is a query for the rows, if there are any; `have_files` says
        whether they name theirs.
        """
        ...

    def drop(self, connection: Connection, wanted: LetterFilter) -> int:
        """Deletes the letters that fit, and says how many there were."""
        ...


class Seen(Protocol):
    """The keys that a job with `dedup` has committed."""

    def read(
        self, connection: Connection, dedup: Dedup, gone: Gone, now: datetime
    ) -> list[tuple[bytes, str | None]]:
        """The keys that count at `now`, the oldest first, without those that are `gone`; each with
        the file that brought it.
        """
        ...

    def write(
        self,
        connection: Connection,
        fresh: Sequence[tuple[bytes, str | None]],
        dedup: Dedup,
        gone: Gone,
        now: datetime,
    ) -> None:
        """Adds keys with their files, and forgets what is gone, too old or beyond `max_keys`."""
        ...

    def forget(self, connection: Connection) -> None:
        """Forgets all keys."""
        ...


class Target(Protocol):
    """One table of a target. Its methods raise TargetError, or TargetBusyError if another process
    holds what they need.
    """

    @property
    def dataset(self) -> str:
        """The schema of the table, in the target's words."""
        ...

    @property
    def table(self) -> str:
        """The table without its schema."""
        ...

    @property
    def label(self) -> str:
        """The table as a person writes it in a query."""
        ...

    @property
    def is_there(self) -> bool:
        """Whether there is anything to read yet."""
        ...

    @property
    def letters(self) -> Letters:
        """The dead letters of the job."""
        ...

    @property
    def seen(self) -> Seen:
        """The keys that the job has seen."""
        ...

    def history(self, pipeline: str) -> History:
        """What is known of that pipeline and of the table; imports nothing heavy."""
        ...

    def written(self) -> Written | None:
        """What the table holds, None if there is none; nothing counts as written by us."""
        ...

    def destination(self, current: Callable[[], Connection]) -> Any:
        """The dlt destination, working on the connection that `current` returns."""
        ...

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection that only reads."""
        ...

    def transaction(self) -> AbstractContextManager[Connection]:
        """A connection whose changes are all kept when the block ends, or none of them."""
        ...

    def columns(self, connection: Connection) -> tuple[Column, ...]:
        """The columns of the table without those of dlt; none if there is no table."""
        ...

    def facts(self, connection: Connection) -> Written | None:
        """What the table holds, None if there is none."""
        ...

    def forget(self, connection: Connection, pipeline: str) -> None:
        """Drops the table with the keys that were seen, and what dlt stored for that pipeline."""
        ...

    def clear(self, connection: Connection) -> None:
        """Deletes all rows of the table, if it is there."""
        ...

    def delete(self, connection: Connection, column: str, values: Iterable[str]) -> None:
        """Deletes the rows with one of those values in `column`."""
        ...

    def describe(self, connection: Connection, comments: Mapping[str, str]) -> None:
        """Sets the comments of columns, by name; columns that are not there are passed over."""
        ...

    def rows(self, load_id: str | None = None) -> str:
        """A query for the rows, or for those that one load brought."""
        ...


def key_columns(target: Target, connection: Connection, names: Iterable[str]) -> tuple[Column, ...]:
    """The columns of a primary key, by their names in the table; texts, as long as they are not
    there.
    """
    types = {column.name: column.type for column in target.columns(connection)}
    return tuple(Column(name=name, type=types.get(name, "VARCHAR")) for name in names)
