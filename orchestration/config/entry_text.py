"""How an edit writes values and schedule entries as YAML that all readers agree on."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from orchestration.config.runner_file import ScheduleEntry
from orchestration.config.scalars import read_plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestration.domain.events import JsonValue

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*", re.ASCII)
_BOOLEANS_OF_OTHERS = frozenset("yYnN")
_NOT_PRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
KEY_ORDER = tuple(ScheduleEntry.model_fields)


def order_fields(fields: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The fields of an entry in the order of the reference."""
    return {key: fields[key] for key in sorted(fields, key=_rank)}


def render_block(key: str, value: JsonValue, step: int) -> list[str]:
    """The lines of `key: value`, where mappings, and lists of mappings, are indented by `step`."""
    match value:
        case dict() if value:
            inner = [line for pair in value.items() for line in render_block(*pair, step)]
            return [f"{_render_text(key)}:", *_indent(inner, step)]
        case [dict() as first, *rest]:
            entries = [first, *(entry for entry in rest if isinstance(entry, dict))]
            lines = [line for entry in entries for line in render_entry(entry, 2)]
            return [f"{_render_text(key)}:", *_indent(lines, step)]
        case _:
            return [f"{_render_text(key)}: {render_flow(value)}"]


def render_entry(fields: Mapping[str, JsonValue], width: int) -> list[str]:
    """The lines of an entry of a list: a dash, and from column `width` on one key a line."""
    lines = [f"{_render_text(key)}: {render_flow(value)}" for key, value in fields.items()]
    return [f"-{' ' * (width - 1)}{lines[0]}", *_indent(lines[1:], width)]


def render_flow(value: JsonValue) -> str:
    """The value on one line."""
    match value:
        case dict():
            pairs = (f"{_render_text(key)}: {render_flow(item)}" for key, item in value.items())
            return f"{{{', '.join(pairs)}}}"
        case list():
            return f"[{', '.join(render_flow(item) for item in value)}]"
        case str():
            return _render_text(value)
        case _:
            return json.dumps(value)


def _render_text(text: str) -> str:
    is_plain = _PLAIN.fullmatch(text) and text not in _BOOLEANS_OF_OTHERS
    if is_plain and read_plain(text) == (text, None):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _NOT_PRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)


def _indent(lines: Sequence[str], width: int) -> list[str]:
    return [f"{' ' * width}{line}" for line in lines]


def _rank(key: str) -> tuple[int, str]:
    return (KEY_ORDER.index(key) if key in KEY_ORDER else len(KEY_ORDER), key)
