"""Between source and table: sets aside what breaks the schema, and drops what came before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from orchestration.connectors.dedup import keys_of
from orchestration.connectors.errors import SchemaError
from orchestration.connectors.names import FILE_COLUMN
from orchestration.connectors.schema import Checker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestration.connectors.dead_letters import Form
    from orchestration.connectors.dedup import Window
    from orchestration.connectors.schema import Faults
    from orchestration.connectors.source import Batch, Reading, Table
    from orchestration.domain.records import AssetSchema, Dedup

_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the records of a load are held to. A `strict` one fails at the first record that breaks
    the schema.
    """

    schema: AssetSchema | None
    strict: bool
    dedup: Dedup | None


class Sieve:
    """Takes each batch and gives back what of it goes to the table."""

    def __init__(self, rules: Rules, reading: Reading, form: Form) -> None:
        self._rules = rules
        self._reading = reading
        self._form = form
        fields = rules.schema.fields if rules.schema else ()
        self._checker = Checker(fields, from_text=form.from_text)

    def sift(self, batch: Batch) -> Batch:
        """The records that pass, in the types of their columns.

        Raises:
            SchemaError: a record breaks the schema, and the rules are strict.
            OptionsError: the records do not have the fields of the key.
        """
        if not len(batch):
            return batch
        if self._rules.schema:
            batch = self._check(batch)
        if self._rules.dedup and self._reading.window and len(batch):
            batch = self._drop_known(batch, self._rules.dedup, self._reading.window)
        return batch

    def _check(self, batch: Batch) -> Batch:
        is_table = not isinstance(batch, list)
        check = self._checker.check_table if is_table else self._checker.check_records
        faults = check(batch)
        if faults:
            rows = _rows_at(batch, sorted(faults))
            if self._rules.strict:
                raise self._broken(faults, rows)
            for index, row in rows.items():
                self._reading.reject_row(index, row, "; ".join(faults[index]), self._form)
            batch = _select(batch, [index not in faults for index in range(len(batch))])
            if is_table:
                batch = _forget_aside(batch, self._rules.schema)
        if is_table and len(batch) and self._reading.wanted_types:
            from orchestration.connectors.columns import conform

            return conform(batch, self._reading.wanted_types.get)
        return batch

    def _broken(self, faults: Faults, rows: Mapping[int, Mapping[str, Any]]) -> SchemaError:
        tally, schema = self._reading.tally, self._rules.schema
        tally.invalid += len(faults)
        tally.broken += len(faults)
        named = [
            f"{self._reading.locate(index, row)} {'; '.join(faults[index])}"
            for index, row in list(rows.items())[:_NAMED]
        ]
        more = f", and {len(faults) - _NAMED:,} more" if len(faults) > _NAMED else ""
        verb = "breaks" if len(faults) == 1 else "break"
        return SchemaError(
            f"{len(faults):,} of the first {tally.extracted:,} records {verb} "
            f"`{schema.file if schema else ''}`: {', '.join(named)}{more}",
            help="nothing was loaded; correct the source or the definition, or let "
            "`schema_validation_mode: warn` set such records aside as dead letters",
        )

    def _drop_known(self, batch: Batch, dedup: Dedup, window: Window) -> Batch:
        keys = keys_of(batch, dedup.key)
        fresh = [
            key is None or window.admit(key, file)
            for key, file in zip(keys, _files(batch), strict=True)
        ]
        dropped = fresh.count(False)
        if not dropped:
            return batch
        tally = self._reading.tally
        tally.duplicates = (tally.duplicates or 0) + dropped
        return _select(batch, fresh)


def _rows_at(batch: Batch, indexes: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    if isinstance(batch, list):
        records = cast("list[dict[str, Any]]", batch)
        return {index: records[index] for index in indexes}
    return dict(zip(indexes, batch.take(indexes).to_pylist(), strict=True))


def _select(batch: Batch, keep: Sequence[bool]) -> Batch:
    if isinstance(batch, list):
        records = cast("list[dict[str, Any]]", batch)
        return [record for record, kept in zip(records, keep, strict=True) if kept]
    return batch.filter(keep)


def _forget_aside(table: Table, schema: AssetSchema | None) -> Batch:
    """The table without the columns that only rejected values needed, and nothing where no record
    is left: what is not loaded changes nothing in the target.
    """
    if not len(table):
        return []
    prefixes = tuple(f"{field.name}__v_" for field in (schema.fields if schema else ()))
    aside = [name for name in table.column_names if name.startswith(prefixes)]
    return table.drop([name for name in aside if table.column(name).null_count == len(table)])


def _files(batch: Batch) -> Sequence[str | None]:
    """The file that each record came from, None where there is none."""
    if isinstance(batch, list):
        return [record.get(FILE_COLUMN) for record in cast("list[dict[str, Any]]", batch)]
    if FILE_COLUMN not in batch.column_names:
        return [None] * len(batch)
    return batch.column(FILE_COLUMN).to_pylist()
