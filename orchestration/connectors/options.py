"""What the options of connectors have in common: the file edge, so pydantic models."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from orchestration.domain.durations import parse_duration

ColumnType = Literal["text", "bigint", "double", "bool", "date", "timestamp", "json"]
WriteDisposition = Literal["append", "merge", "replace"]


def is_reference(text: str) -> bool:
    """Whether `text` holds a `${NAME}` that is resolved only when the job runs."""
    return "${" in text


def _duration(text: str) -> str:
    if not is_reference(text):
        parse_duration(text)
    return text


def _name(text: str) -> str:
    if not text.strip():
        message = "a name is not empty"
        raise ValueError(message)
    return text


Duration = Annotated[str, AfterValidator(_duration)]
Name = Annotated[str, AfterValidator(_name)]


class Options(BaseModel):
    """The base of all option models: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceOptions(Options):
    """What every source takes. `ACCESS` are the options that do not shape the records."""

    ACCESS: ClassVar[frozenset[str]] = frozenset({"path"})

    primary_key: Name | list[Name] = Field(
        default=[],
        description="Column or columns that identify a record. With it, records are merged: a "
        "record that came before is replaced.",
    )
    write_disposition: WriteDisposition | None = Field(
        default=None,
        description="How records reach the table: added, merged by key, or in place of all.",
    )
    columns: dict[Name, ColumnType] = Field(
        default={},
        description="Types of columns that are not to be inferred, by column name.",
    )

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of the primary key, none if there is no key."""
        key = self.primary_key
        return (key,) if isinstance(key, str) else tuple(key)

    @property
    def disposition(self) -> WriteDisposition:
        """How records reach the table: what is written down, else what fits the other options."""
        return self.write_disposition or self.default_disposition

    @property
    def shape(self) -> str:
        """A digest of what shapes the records: with another one, what was loaded is outdated."""
        shaping = self.model_dump_json(exclude=set(self.ACCESS))
        return blake2b(shaping.encode(), digest_size=8).hexdigest()

    @property
    def default_disposition(self) -> WriteDisposition:
        """`merge` with a primary key, else `append`."""
        return "merge" if self.keys else "append"

    @model_validator(mode="after")
    def _merge_has_a_key(self) -> SourceOptions:
        if self.write_disposition == "merge" and not self.keys:
            message = "`write_disposition: merge` needs a `primary_key`"
            raise ValueError(message)
        return self


class FileOptions(SourceOptions):
    """What every source of files takes."""

    path: Name = Field(
        description="A file, or a pattern such as `data/**/*.csv`. A relative path starts from the "
        "folder of `runner.yaml` and stays inside it.",
    )


class Incremental(Options):
    """Only what is new or changed: records whose cursor is at or after the last one loaded."""

    cursor: Name = Field(
        description="The column (for `rest`: field or JSON path) that grows with every change."
    )
    initial_value: str | int | float | None = Field(
        default=None, description="Where the first run starts; without it, at the beginning."
    )
    lag: float = Field(
        default=0,
        ge=0,
        description="How far each run goes back before the last cursor value, for records that "
        "arrive late: seconds for a timestamp, days for a date, else a number. Needs a "
        "`primary_key`.",
    )


class RecordOptions(SourceOptions):
    """What every source takes that is asked for records (a database, an API)."""

    incremental: Incremental | None = Field(
        default=None,
        description="Load only what is new or changed. Without it, all is read and, if "
        "anything changed, loaded.",
    )

    @property
    def default_disposition(self) -> WriteDisposition:
        """`merge` with a primary key, `append` with a cursor alone, else `replace`."""
        if self.keys:
            return "merge"
        return "append" if self.incremental else "replace"

    @model_validator(mode="after")
    def _fits_the_cursor(self) -> RecordOptions:
        problem = self._disposition_problem()
        if problem:
            raise ValueError(problem)
        return self

    def _disposition_problem(self) -> str | None:
        if self.disposition == "append" and not self.incremental:
            return "`write_disposition: append` needs `incremental`, or all comes again each time"
        if self.disposition == "replace" and self.incremental:
            return "`write_disposition: replace` with `incremental` would drop what came before"
        if self.disposition != "merge" and self.incremental and self.incremental.lag:
            return "`lag` reads records again, so it needs a `primary_key` to merge them"
        return None


def secrets_of(options: BaseModel) -> tuple[str, ...]:
    """The values of all secret options, also of nested models."""
    found: list[str] = []
    for _, value in options:
        if isinstance(value, SecretStr):
            found.append(value.get_secret_value())
        elif isinstance(value, BaseModel):
            found += secrets_of(value)
    return tuple(found)
