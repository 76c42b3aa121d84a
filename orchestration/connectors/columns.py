"""Types of columns in Arrow tables: found out from texts, and kept the same from run to run.

A value that does not fit the type that its column already has is not lost and not rejected: it
goes to a second column named after its type (`elevation__v_text`), as dlt does for records.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from orchestration.connectors.arrow import pa, pc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Table = Any
    Texts = Any  # a chunked array of strings
    DataType = Any

# In the order in which they are tried. A whole number with a leading zero is a text, or `007`
# would come back as `7`; so is one too long for a double.
_PATTERNS = {
    "bigint": r"^-?(0|[1-9][0-9]{0,18})$",
    "double": r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$",
    "bool": r"^([tT]rue|TRUE|[fF]alse|FALSE)$",
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "timestamp": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}:?[0-9]{2})?$",
}
_ZONED = r"(Z|[+-][0-9]{2}:?[0-9]{2})$"
_ARROW: dict[str, DataType] = {
    "text": pa.string(),
    "json": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
INFERRED = tuple(_PATTERNS)


class Inference:
    """The narrowest type that fits all texts seen in each column; `text` where none does."""

    def __init__(self, columns: Iterable[str]) -> None:
        self._candidates = {name: list(INFERRED) for name in columns}
        self._seen: set[str] = set()

    def see(self, table: Table) -> None:
        """Takes the texts of one chunk into account; columns not asked for are skipped."""
        for name in self._candidates.keys() & set(table.column_names):
            texts = table.column(name)
            if texts.null_count < len(texts):
                self._seen.add(name)
                fitting = [kind for kind in self._candidates[name] if _all_fit(texts, kind)]
                self._candidates[name] = fitting

    def types(self) -> dict[str, str]:
        """The type of each column; a column without any value is a `text`."""
        return {
            name: candidates[0] if candidates and name in self._seen else "text"
            for name, candidates in self._candidates.items()
        }


def _all_fit(texts: Texts, kind: str) -> bool:
    try:
        _cast(texts, kind)
    except pa.ArrowInvalid:
        return False
    return True


def _cast(texts: Any, kind: str) -> Any:
    """`texts` as `kind`; raises ArrowInvalid unless every one fits."""
    pattern = _PATTERNS.get(kind)
    if pattern is None:
        return texts
    fits = pc.match_substring_regex(texts, pattern)
    if pc.all(fits).as_py() is False:
        message = f"not every text is a {kind}"
        raise pa.ArrowInvalid(message)
    if kind == "bool":
        return pc.equal(pc.utf8_lower(texts), "true")
    if kind == "timestamp" and not pc.any(pc.match_substring_regex(texts, _ZONED)).as_py():
        texts = pc.cast(texts, pa.timestamp("us"))  # without a zone it is UTC, as dlt has it
    return pc.cast(texts, _ARROW[kind])


def type_texts(table: Table, type_of: Callable[[str], str]) -> Table:
    """The texts of `table` as the types that `type_of` gives; what does not fit moves aside."""
    typed: dict[str, Any] = {}
    for name in table.column_names:
        typed.update(_type_column(name, table.column(name), type_of(name)))
    return pa.table(typed)


def _type_column(name: str, texts: Texts, kind: str) -> dict[str, Any]:
    try:
        return {name: _cast(texts, kind)}
    except pa.ArrowInvalid:
        fits = pa.array([fits_type(text, kind) for text in texts.to_pylist()])
        nothing = pa.scalar(None, pa.string())
        return {
            name: _cast(pc.if_else(fits, texts, nothing), kind),
            f"{name}__v_text": pc.if_else(fits, nothing, texts),
        }


def fits_type(text: str | None, kind: str) -> bool:
    """Whether a text is a value of that column type."""
    return text is None or _all_fit(pa.chunked_array([[text]]), kind)


def conform(table: Table, known_type: Callable[[str], str | None]) -> Table:
    """`table` with its columns in the types that the target's table has for them.

    A column that does not convert without loss goes aside as a whole, under the name of its type.
    """
    conformed: dict[str, Any] = {}
    for name in table.column_names:
        column = table.column(name)
        conformed.update(_conform_column(name, column, known_type(name)))
    return pa.table(conformed)


def _conform_column(name: str, column: Any, known: str | None) -> dict[str, Any]:
    found = kind_of(column.type)
    if known is None or found == known:
        return {name: column}
    wanted = _arrow_type(known)
    if wanted is not None:
        with suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return {name: pc.cast(column, wanted, safe=True)}
    return {f"{name}__v_{found.partition('(')[0]}": column}


def _arrow_type(kind: str) -> DataType | None:
    """The Arrow type of one of our words, or of `decimal(10,2)`; None if there is none."""
    decimal = _DECIMAL.fullmatch(kind)
    return pa.decimal128(*map(int, decimal.groups())) if decimal else _ARROW.get(kind)


def kind_of(arrow: DataType) -> str:
    """What an Arrow type becomes in a table; decimals with their precision and scale."""
    if pa.types.is_dictionary(arrow):
        return kind_of(arrow.value_type)
    if pa.types.is_decimal(arrow):
        return f"decimal({arrow.precision},{arrow.scale})"
    return next((kind for kind, is_kind in _KINDS.items() if is_kind(arrow)), "json")


_DECIMAL = re.compile(r"decimal\(([0-9]+),([0-9]+)\)")
_KINDS: dict[str, Callable[[DataType], bool]] = {
    "bigint": pa.types.is_integer,
    "double": pa.types.is_floating,
    "bool": pa.types.is_boolean,
    "date": pa.types.is_date,
    "time": pa.types.is_time,
    "timestamp": pa.types.is_timestamp,
    "text": lambda arrow: arrow in (pa.string(), pa.large_string(), pa.string_view()),
    "binary": lambda arrow: arrow in (pa.binary(), pa.large_binary(), pa.binary_view()),
}
