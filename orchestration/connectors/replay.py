"""Dead letters as the source of a load: each becomes a row, or goes back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from orchestration.connectors.dead_letters import Outdated, key_of
from orchestration.connectors.names import FILE_COLUMN
from orchestration.connectors.source import Plan, Spot
from orchestration.connectors.target import key_columns
from orchestration.domain.records import LetterFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from orchestration.connectors.checkpoint import Checkpoint, Method
    from orchestration.connectors.dead_letters import Form, Letter
    from orchestration.connectors.options import SourceOptions
    from orchestration.connectors.source import Batch, Reading, Source
    from orchestration.connectors.target import Target


_UNSURE = (
    "a row with its key may be newer: replay the letter by its id to put it in the place of the row,"
    " or drop it"
)


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
        """The records of the letters. A letter that was cut off stays where it is. One that another
        letter has overtaken goes, but not to the table; one that a row may have overtaken goes back.
        """
        del plan
        reading.tally.outdated = 0
        with self.target.reading() as connection:
            outdated = self._find_outdated(connection, reading)
            for letters in self.target.letters.read_whole(connection, self.wanted):
                self.taken += [letter.id for letter in letters]
                reading.tally.extracted += len(letters)
                reading.tally.outdated += sum(letter.id in outdated.by_letter for letter in letters)
                current = list(_take_current(letters, outdated, reading))
                revived, records = self._revive(current, reading.reject_again)
                if records:
                    reading.origin = LetterOrigin(letters=revived)
                    yield _with_files(self.form.batch(records, reading), revived)

    def _find_outdated(self, connection: Any, reading: Reading) -> Outdated:
        """The letters whose record would take the place of a newer one, among all that can be read:
        which is the newest does not depend on those that are wanted. A letter that somebody names
        takes the place of any row.

        Until its record is read again, the key of a letter may be unknown, and its values are not in
        the types of the table.
        """
        names = self.options.keys
        if self.options.disposition != "merge":
            return Outdated()
        keys: dict[str, list[str]] = {}
        for letters in self.target.letters.read_whole(connection, LetterFilter()):
            revived, records = self._revive(letters, _ignore)
            parts = [{name: record.get(name) for name in names} for record in records]
            rows = _rows(self.form.batch(parts, reading)) if parts else []
            for letter, row in zip(revived, rows, strict=True):
                key = key_of(row, names)
                if key:
                    keys[letter.id] = key
        columns = key_columns(self.target, connection, map(reading.name_in_table, names))
        present = self.target.columns(connection)
        return self.target.letters.find_outdated(
            connection,
            keys,
            self.target.rows() if present and not self.wanted.id else None,
            columns,
            have_files=any(column.name == FILE_COLUMN for column in present),
        )

    def _revive(
        self, letters: Sequence[Letter], failed: Callable[[Letter, str], None]
    ) -> tuple[list[Letter], list[dict[str, Any]]]:
        """The letters that can be read, and their records."""
        revived: list[Letter] = []
        records: list[dict[str, Any]] = []
        for letter in letters:
            try:
                records.append(self.form.take(letter))
            except ValueError as error:
                failed(letter, str(error))
            else:
                revived.append(letter)
        return revived, records

    def checkpoint(self, plan: Plan, reading: Reading, method: Method) -> Checkpoint:
        """What the job remembered before, and which records came before in another file."""
        del plan, method
        files = {
            name: replace(mark, doubled=tuple(sorted({*mark.doubled, *reading.doubled(name)})))
            for name, mark in self.last.files.items()
        }
        return replace(self.last, files=files)


def _take_current(
    letters: Iterable[Letter], outdated: Outdated, reading: Reading
) -> Iterator[Letter]:
    """The letters that nothing has overtaken; those that a row may have overtaken go back."""
    for letter in letters:
        if letter.id in outdated.by_row:
            reading.send_back(letter, letter.stage, _UNSURE)
        elif letter.id not in outdated.by_letter:
            yield letter


def _ignore(letter: Letter, reason: str) -> None:
    """What cannot be read is sent back when it is its turn."""


def _rows(batch: Batch) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", batch if isinstance(batch, list) else batch.to_pylist())


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
