"""What the runtime asks of a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from orchestration.connectors.events import Column, Written

    Connection = Any  # whatever the target's own methods take


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is in the target already: what dlt stored for the job, and whether its table is there."""

    state: dict[str, Any] | None = None
    table_exists: bool = False


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
        """Drops the table, and what dlt stored for that pipeline."""
        ...

    def clear(self, connection: Connection) -> None:
        """Deletes all rows of the table, if it is there."""
        ...

    def delete(self, connection: Connection, column: str, values: Iterable[str]) -> None:
        """Deletes the rows with one of those values in `column`."""
        ...
