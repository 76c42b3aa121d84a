"""From the fields of a job file that are about records to what records have to look like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from orchestration.config import field_rules
from orchestration.config.asset_files import Definition
from orchestration.config.document import Document, Place
from orchestration.config.words import show
from orchestration.domain.records import AssetSchema, Dedup, Validation

if TYPE_CHECKING:
    from orchestration.config.job_file import JobFile

ReadAsset = Callable[[Document, Place, str], Definition | None]

_REMEMBERED = timedelta(hours=24)
RECORD_FIELDS = ("asset_path", "schema_validation_mode", "dedup")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRules:
    """What a job file says of its records."""

    schema: AssetSchema | None = None
    dedup: Dedup | None = None


def read_record_rules(
    document: Document, file: JobFile, read_asset: ReadAsset | None, *, faulty: frozenset[str]
) -> RecordRules:
    """The rules of a job whose records go through the built-in connectors."""
    schema = None
    if file.asset_path and read_asset:
        found = read_asset(document, ("asset_path",), file.asset_path)
        if found:
            validation = Validation(file.schema_validation_mode)
            schema = AssetSchema(fields=found.fields, validation=validation, file=found.file)
    return RecordRules(schema=schema, dedup=_read_dedup(document, file, faulty=faulty))


def _read_dedup(document: Document, file: JobFile, *, faulty: frozenset[str]) -> Dedup | None:
    config = file.dedup
    if config is not None:
        _refuse_repeated(document, config.key)
        within = config.within or _REMEMBERED
        return Dedup(key=tuple(config.key), within=within, max_keys=config.max_keys)
    if "dedup" in document.data and "dedup" not in faulty:
        document.report(field_rules.NO_VALUE, ("dedup",), field="dedup")
    return None


def _refuse_repeated(document: Document, key: list[str]) -> None:
    for index, name in enumerate(key):
        if name in key[:index]:
            place: Place = ("dedup", "key", index)
            document.report(field_rules.REPEATED, place, name=show(name), field="dedup.key")
