"""Dead letters as the source of a load: each becomes a row, or goes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from orchestration.connectors.names import FILE_COLUMN
from orchestration.connectors.source import Plan, Spot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestration.connectors.checkpoint import Checkpoint, Method
    from orchestration.connectors.dead_letters import Form, Letter
    from orchestration.connectors.options import SourceOptions
    from orchestration.connectors.source import Batch, Reading, Source
    from orchestration.connectors.target import Target
    from orchestration.domain.records import LetterFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterOrigin:
    """A batch that was made of letters, one record each."""

    letters: Sequence[Letter]

    def spot(self, index: int, record: Mapping[str, Any]) -> Spot:
        """Where the letter of a record was found."""
        del record  # the batch is whole when it is checked
        letter = self.letters[index]
        return Spot(file=letter.file, number=letter.position or 0, letter=letter)


@dataclass(slots=True, kw_only=True)
class LetterSource:
    """The dead letters of a job, as a source. `taken` are the ids of those that were read.

    What the job remembers of its real source stays as it is.
    """

    source: Source
    target: Target
    wanted: LetterFilter
    last: Checkpoint
    taken: list[str] = field(default_factory=list[str])

    @property
    def options(self) -> SourceOptions:
        """Those of the real source."""
        return self.source.options

    @property
    def form(self) -> Form:
        """That of the real source."""
        return self.source.form

    def plan(self, last: Checkpoint | None) -> Plan:
        """Nothing but the letters."""
        del last
        return Plan()

    def read(self, plan: Plan, reading: Reading) -> Iterator[Batch]:
        """The records of the letters. A letter that was cut off stays where it is."""
        del plan
        with self.target.reading() as connection:
            batches = self.target.letters.read(connection, self.wanted, oldest_first=True)
            for letters in batches:
                batch = self._revive([one for one in letters if not one.truncated], reading)
                if batch is not None:
                    yield batch

    def _revive(self, letters: Sequence[Letter], reading: Reading) -> Batch | None:
        self.taken += [letter.id for letter in letters]
        reading.tally.extracted += len(letters)
        revived: list[Letter] = []
        records: list[dict[str, Any]] = []
        for letter in letters:
            try:
                records.append(self.form.take(letter))
            except ValueError as error:
                reading.reject_again(letter, str(error))
            else:
                revived.append(letter)
        reading.origin = LetterOrigin(letters=revived)
        return _with_files(self.form.batch(records, reading), revived) if records else None

    def checkpoint(self, plan: Plan, reading: Reading, method: Method) -> Checkpoint:
        """What the job remembered before."""
        del plan, reading, method
        return self.last


def _with_files(batch: Batch, letters: Sequence[Letter]) -> Batch:
    """The batch with the column that names the file of each record, if they came from files."""
    if not any(letter.file for letter in letters):
        return batch
    if isinstance(batch, list):
        records = cast("list[dict[str, Any]]", batch)
        pairs = zip(records, letters, strict=True)
        return [{**record, FILE_COLUMN: letter.file} for record, letter in pairs]
    from orchestration.connectors.arrow import pa

    return batch.append_column(FILE_COLUMN, pa.array([letter.file for letter in letters]))
