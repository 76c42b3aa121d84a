"""What records have to look like, and which of them have been seen before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal

FieldType = Literal[
    "string",
    "integer",
    "number",
    "boolean",
    "date",
    "timestamp",
    "time",
    "binary",
    "object",
    "array",
]


class Validation(StrEnum):
    """What becomes of a load with records that break the schema: nothing is committed, or the good
    ones are and the others become dead letters.
    """

    STRICT = "strict"
    WARN = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordField:
    """A field of a record. One that is `required` is there and not null."""

    name: str
    type: FieldType
    required: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetSchema:
    """The asset definition that `asset_path` of a job names. Fields it does not name are kept as
    they are.
    """

    fields: tuple[RecordField, ...]
    validation: Validation = Validation.STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Dedup:
    """The `dedup` of a job: a record is dropped if one with the same values in `key` was committed
    `within` that time, among the last `max_keys` that were.
    """

    key: tuple[str, ...]
    within: timedelta = timedelta(hours=24)
    max_keys: int = 1_000_000
