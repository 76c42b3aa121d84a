"""What records have to look like, and which of them have been seen before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from orchestration.domain.events import JsonValue

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


class Stage(StrEnum):
    """Where a record was rejected: it could not be read, or it breaks the schema."""

    READ = "read"
    VALIDATE = "validate"


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
    they are. `file` is how messages call it.
    """

    fields: tuple[RecordField, ...]
    validation: Validation = Validation.STRICT
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dedup:
    """The `dedup` of a job: a record is dropped if one with the same values in `key` was committed
    `within` that time, among the last `max_keys` that were.
    """

    key: tuple[str, ...]
    within: timedelta = timedelta(hours=24)
    max_keys: int = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """Which dead letters of a job are meant: all, or those that fit everything given here. `id` and
    `run` are beginnings. `limit` is how many of them at most.
    """

    id: str = ""
    run: str = ""
    stage: Stage | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Which dead letters to load again; a `dry_run` only tries, and changes nothing."""

    wanted: LetterFilter
    dry_run: bool = False


def schema_to_json(schema: AssetSchema) -> dict[str, JsonValue]:
    """The schema as JSON values, for the order of a connector process."""
    return {
        "file": schema.file,
        "validation": schema.validation.value,
        "fields": [
            {
                "name": field.name,
                "type": field.type,
                "required": field.required,
                "description": field.description,
            }
            for field in schema.fields
        ],
    }


def dedup_to_json(dedup: Dedup) -> dict[str, JsonValue]:
    """The dedup as JSON values."""
    within = dedup.within.total_seconds()
    return {"key": list(dedup.key), "within_seconds": within, "max_keys": dedup.max_keys}


def replay_to_json(replay: Replay) -> dict[str, JsonValue]:
    """The replay as JSON values."""
    wanted = replay.wanted
    return {
        "id": wanted.id,
        "run": wanted.run,
        "stage": wanted.stage.value if wanted.stage else None,
        "limit": wanted.limit,
        "dry_run": replay.dry_run,
    }
