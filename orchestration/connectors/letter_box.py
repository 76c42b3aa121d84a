"""The dead letters of one job, for who looks at them or throws them away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.connectors.order import parse_order
from orchestration.connectors.runtime import make_target

if TYPE_CHECKING:
    from orchestration.connectors.dead_letters import Letter
    from orchestration.connectors.target import Target
    from orchestration.domain.records import LetterFilter


class LetterBox:
    """The dead letters of the job that `target` belongs to; those of other jobs are out of reach."""

    def __init__(self, target: Target) -> None:
        self._target = target

    @classmethod
    def of(cls, order: str) -> LetterBox:
        """The box of the job that an order is for.

        Raises:
            OrchestrationError: its target cannot be what the options say.
        """
        target, _ = make_target(parse_order(order))
        return cls(target)

    @property
    def label(self) -> str:
        """The table with the letters, as a person writes it in a query."""
        return self._target.letters.label

    def count(self, wanted: LetterFilter) -> int:
        """How many letters fit, whatever the limit.

        Raises:
            TargetError: the target cannot be read.
        """
        if not self._target.is_there:
            return 0
        with self._target.reading() as connection:
            return self._target.letters.count(connection, wanted)

    def count_cut_off(self, wanted: LetterFilter) -> int:
        """How many of the letters that fit cannot be replayed, since the record was too long to be
        kept as a whole; raises as `count` does.
        """
        if not self._target.is_there:
            return 0
        with self._target.reading() as connection:
            return self._target.letters.count_cut_off(connection, wanted)

    def read(self, wanted: LetterFilter) -> list[Letter]:
        """The letters that fit, those that were seen last first; raises as `count` does."""
        if not self._target.is_there:
            return []
        with self._target.reading() as connection:
            batches = self._target.letters.read(connection, wanted)
            return [letter for batch in batches for letter in batch]

    def drop(self, wanted: LetterFilter) -> int:
        """Deletes the letters that fit, and says how many there were; raises as `count` does."""
        if not self._target.is_there:
            return 0
        with self._target.transaction() as connection:
            return self._target.letters.drop(connection, wanted)
