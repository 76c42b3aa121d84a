"""Checks records against an asset definition. Reasons name fields and types, never values."""

from __future__ import annotations

import base64
import re
from datetime import date, datetime, time
from decimal import Decimal
from types import NoneType
from typing import TYPE_CHECKING, Any

from orchestration.connectors.jsontext import parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from orchestration.connectors.source import Table
    from orchestration.domain.records import FieldType, RecordField

    Faults = dict[int, list[str]]

COLUMN_TYPES: Mapping[FieldType, str] = {
    "string": "text",
    "integer": "bigint",
    "number": "double",
    "boolean": "bool",
    "date": "date",
    "timestamp": "timestamp",
    "object": "json",
    "array": "json",
}
"""The column that a field gets. One of the other types gets what its values suggest."""
_ACCEPTED_COLUMNS: Mapping[FieldType, tuple[str, ...]] = {
    "number": ("double", "bigint", "decimal"),
    "timestamp": ("timestamp", "text"),
    "date": ("date", "text"),
    "object": ("json", "text"),
    "array": ("json", "text"),
}
_CLASSES: Mapping[FieldType, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float, Decimal),
    "boolean": (bool,),
    "date": (date,),
    "timestamp": (datetime,),
    "time": (time,),
    "binary": (bytes,),
    "object": (dict,),
    "array": (list,),
}
_NAMES: Mapping[type[object], str] = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    Decimal: "a number",
    str: "a string",
    datetime: "a timestamp",
    date: "a date",
    time: "a time",
    bytes: "binary",
    dict: "an object",
    list: "an array",
}
_WANTED: Mapping[FieldType, str] = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
    "date": "a date",
    "timestamp": "a timestamp",
    "time": "a time",
    "binary": "binary",
    "object": "an object",
    "array": "an array",
}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?")
_TIMESTAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?"
)
_LARGEST = 2**63
_NO_VALUE = "has no value"


def accepts_column(field: RecordField, column: str) -> bool:
    """Whether values of the field may go into a column of that type, such as `decimal(10,2)`."""
    usual = COLUMN_TYPES.get(field.type)
    accepted = _ACCEPTED_COLUMNS.get(field.type, (usual,) if usual else ())
    return not accepted or column.partition("(")[0] in accepted


class Checker:
    """The fields of a definition, ready to be held against batches.

    `from_text` says that the source knows texts only: then a text is judged by what it says.
    """

    def __init__(self, fields: Iterable[RecordField], *, from_text: bool = False) -> None:
        self._fields = tuple(fields)
        self._from_text = from_text
        self._fine = {
            field.name: frozenset((*_CLASSES[field.type], *(() if field.required else (NoneType,))))
            for field in self._fields
        }

    def check_records(self, records: Sequence[Mapping[str, Any]]) -> Faults:
        """What is wrong with each record, by its index; nothing of those that are right."""
        faults: Faults = {}
        for field in self._fields:
            name = field.name
            values = [record.get(name) for record in records]
            if not self._fine[name].issuperset(map(type, values)):
                self._judge_all(field, values, faults)
        return faults

    def check_table(self, table: Table) -> Faults:
        """As `check_records`, for an Arrow table. Values that did not fit the type of their column
        stand in one of their own (`size__v_text`) and are judged there.
        """
        faults: Faults = {}
        names = table.column_names
        for field in self._fields:
            aside = [name for name in names if name.startswith(f"{field.name}__v_")]
            if aside or field.name not in names:
                self._judge_all(field, _together(table, [field.name, *aside]), faults)
                continue
            column = table.column(field.name)
            if not _fits(column.type, field.type):
                self._judge_all(field, column.to_pylist(), faults)
            elif field.required and column.null_count:
                for index in _nulls(column):
                    faults.setdefault(index, []).append(f"`{field.name}` {_NO_VALUE}")
        return faults

    def _judge_all(self, field: RecordField, values: Iterable[Any], faults: Faults) -> None:
        fine = self._fine[field.name]
        for index, value in enumerate(values):
            if type(value) not in fine:
                reason = self._judge(field, value)
                if reason:
                    faults.setdefault(index, []).append(f"`{field.name}` {reason}")

    def _judge(self, field: RecordField, value: Any) -> str:
        if value is None:
            return _NO_VALUE if field.required else ""
        if self._from_text and isinstance(value, str):
            fits = _says(value, field.type)
        else:
            judge = _LOOSER.get(field.type)
            fits = judge is not None and judge(value)
        if fits:
            return ""
        wanted = _WANTED[field.type]
        if isinstance(value, str) and (self._from_text or field.type in _WRITTEN):
            return f"is not {wanted}"
        return f"is {_name(value)}, not {wanted}"


def _name(value: object) -> str:
    kind = type(value)
    return _NAMES.get(kind, kind.__name__)


def _together(table: Table, names: Sequence[str]) -> Iterable[Any]:
    """For each row, the value that one of the columns has."""
    columns = [table.column(name).to_pylist() for name in names if name in table.column_names]
    if not columns:
        return [None] * len(table)
    rows = zip(*columns, strict=True)
    return [next((value for value in row if value is not None), None) for row in rows]


def _nulls(column: Any) -> list[int]:
    """The indexes of the rows without a value."""
    from orchestration.connectors.arrow import pc

    return pc.indices_nonzero(pc.is_null(column)).to_pylist()


def _fits(arrow: Any, kind: FieldType) -> bool:
    """Whether every value of an Arrow type is of that kind."""
    from orchestration.connectors.arrow import pa

    types = pa.types
    if types.is_dictionary(arrow):
        return _fits(arrow.value_type, kind)
    accepted: dict[FieldType, tuple[Callable[[Any], bool], ...]] = {
        "string": (types.is_string, types.is_large_string, types.is_string_view),
        "integer": (types.is_integer,),
        "number": (types.is_integer, types.is_floating, types.is_decimal),
        "boolean": (types.is_boolean,),
        "date": (types.is_date,),
        "timestamp": (types.is_timestamp,),
        "time": (types.is_time,),
        "binary": (types.is_binary, types.is_large_binary, types.is_fixed_size_binary),
        "object": (types.is_struct, types.is_map),
        "array": (types.is_list, types.is_large_list, types.is_fixed_size_list),
    }
    return types.is_null(arrow) or any(is_kind(arrow) for is_kind in accepted[kind])


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and bool(_DATE.fullmatch(value)) and _parses(date, value)


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and bool(_TIME.fullmatch(value)) and _parses(time, value)


def _is_timestamp(value: Any) -> bool:
    return isinstance(value, str) and bool(_TIMESTAMP.fullmatch(value)) and _parses(datetime, value)


def _parses(kind: type[date | time], text: str) -> bool:
    try:
        kind.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_binary(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        base64.b64decode(value, validate=True)
    except ValueError:
        return False
    return True


def _is_whole(value: Any) -> bool:
    """3.0 is an integer, as JSON Schema has it; 2 ** 63 is too large for the column."""
    return isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST


def _is_flag(value: Any) -> bool:
    """0 and 1, where a source has no booleans."""
    return type(value) is int and value in (0, 1)


_LOOSER: Mapping[FieldType, Callable[[Any], bool]] = {
    "integer": _is_whole,
    "boolean": _is_flag,
    "date": _is_date,
    "timestamp": _is_timestamp,
    "time": _is_time,
    "binary": _is_binary,
}
_WRITTEN = frozenset({"date", "timestamp", "time", "binary"})


def _says(text: str, kind: FieldType) -> bool:
    """Whether a text of a source that has nothing else is a value of that kind."""
    if kind in ("object", "array"):
        return _holds_json(text, _CLASSES[kind])
    if kind in ("time", "binary"):
        return _LOOSER[kind](text)
    from orchestration.connectors.columns import fits_type

    return fits_type(text, COLUMN_TYPES[kind])


def _holds_json(text: str, classes: tuple[type, ...]) -> bool:
    try:
        return isinstance(parse_json(text.encode()), classes)
    except (ValueError, RecursionError):
        return False
