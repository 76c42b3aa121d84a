"""The events that a connector process writes to its stdout, one JSON object a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from typing_extensions import TypeAliasType

_EventType = Literal[
    "metrics_extraction",
    "metrics_validation",
    "metrics_writing",
    "metrics_api",
    "metrics_error",
    "metrics_complete",
    "checkpoint_saved",
    "record_skipped",
    "schema_changed",
]
EVENT_TYPES: frozenset[str] = frozenset(get_args(_EventType))


if TYPE_CHECKING:  # pyright loses a named alias on its way through import cycles
    JsonValue: TypeAlias = (
        "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"
    )
else:
    JsonValue = TypeAliasType(
        "JsonValue", "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"
    )
"""A value that JSON can hold. A named alias, so that it may refer to itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorEvent:
    """One event of a connector: `event_type` is one of `EVENT_TYPES`; `fields` is the rest."""

    event_type: str
    fields: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn:
    """A column of the table that was written, with the type in the words of the target."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReport:
    """The table that an attempt wrote: the `table`, `row_count` and `columns` of its last
    `metrics_writing` event. `row_count` is the number of rows in the table after the load.
    """

    name: str
    row_count: int | None = None
    columns: tuple[TableColumn, ...] = ()


def parse_table(event: ConnectorEvent) -> TableReport | None:
    """The table of a `metrics_writing` event; None for another event or one without a table."""
    name = event.fields.get("table")
    if event.event_type != "metrics_writing" or not isinstance(name, str):
        return None
    rows = event.fields.get("row_count")
    columns = event.fields.get("columns")
    return TableReport(
        name=name,
        row_count=rows if isinstance(rows, int) and not isinstance(rows, bool) else None,
        columns=tuple(_columns(columns if isinstance(columns, list) else [])),
    )


def _columns(raw: list[JsonValue]) -> list[TableColumn]:
    return [
        TableColumn(name=str(column["name"]), type=str(column.get("type", "")))
        for column in raw
        if isinstance(column, dict) and "name" in column
    ]
