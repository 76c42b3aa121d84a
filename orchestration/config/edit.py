"""Edits single schedules of a runner.yaml in place: every other character stays as it is.

Each function takes the text of the file and returns the new one. The places that the parser keeps
say where to write. The result is parsed again: what it says has to differ by the change alone, which
an anchor, for example, can make impossible.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from yaml.events import ScalarEvent

from orchestration.config.document import ListNode, MapNode
from orchestration.config.editable import (
    BYTE_ORDER_MARK,
    SCHEDULES,
    Editable,
    check_change,
    node_end,
    node_start,
)
from orchestration.config.entry_text import (
    KEY_ORDER,
    order_fields,
    render_block,
    render_entry,
    render_flow,
)
from orchestration.config.words import show
from orchestration.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestration.config.document import Node
    from orchestration.domain.events import JsonValue

_STEP = 2
_BY_HAND = "edit the file by hand; anchors, aliases and merges tie its parts to each other"
_COMMA = re.compile(r"\s*,")


def set_enabled(text: str, name: str, enabled: bool) -> str:  # noqa: FBT001 - it is what is set
    """The text with the schedule switched on or off; the same text where it is so already.

    Raises:
        EditError: there is no such schedule, there are several, or it cannot be done safely.
    """
    return _edit(text, lambda file: _set_enabled(file, name, enabled=enabled))


def add_schedule(text: str, fields: Mapping[str, JsonValue]) -> str:
    """The text with one more schedule, the last one, its keys in the order of the reference.

    Raises:
        EditError: there is a schedule of that name, or it cannot be done safely.
    """
    return _edit(text, lambda file: _add(file, order_fields(fields)))


def remove_schedule(text: str, name: str) -> str:
    """The text without the schedule, and without the comment that stands right above it.

    Raises:
        EditError: there is no such schedule, there are several, or it cannot be done safely.
    """
    return _edit(text, lambda file: _remove(file, name))


def write_text_atomically(path: Path, text: str) -> None:
    """Put `text` in place of the file, at once: a reader sees the old or the new.

    The mode stays, and the owner where this user may set it. Of a symbolic link, what it leads to is
    replaced.

    Raises:
        OSError: it cannot be written; the file is as it was then.
    """
    target = path.resolve()
    status = target.stat()
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            with suppress(PermissionError):
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fchmod(file.fileno(), status.st_mode & 0o7777)
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _edit(text: str, change: Callable[[Editable], tuple[str, JsonValue]]) -> str:
    """Apply a change, which gives the new text and what that has to say, but for the mark."""
    body = text.removeprefix(BYTE_ORDER_MARK)
    mark = text[: len(text) - len(body)]
    return mark + check_change(*change(Editable.of(body)), _BY_HAND)


def _set_enabled(file: Editable, name: str, *, enabled: bool) -> tuple[str, JsonValue]:
    index, entry = file.find(name)
    if entry.data.get("enabled", True) is enabled:
        return file.text, file.document.data
    data, schedules = _copy(file)
    schedules[index] = {**entry.data, "enabled": enabled}
    value = "true" if enabled else "false"
    node = entry.nodes.get("enabled")
    if node is not None:
        _check_switch(file, node, name)
        return _splice(file.text, node_start(node), node_end(node), value), data
    last = _find_last_before_switch(entry, name)
    if file.is_flow(entry):
        return _insert(file.text, node_end(entry.nodes[last]), f", enabled: {value}"), data
    at = file.line_end(node_end(entry.nodes[last]))
    indentation = " " * entry.keys[last].start_mark.column
    return _insert(file.text, at, f"{file.newline}{indentation}enabled: {value}"), data


def _check_switch(file: Editable, node: Node, name: str) -> None:
    """It has to be a plain `true` or `false`, and not one that has an anchor, or is elsewhere."""
    written = file.text[node_start(node) : node_end(node)]
    if written.lower() not in ("true", "false"):
        place = (*SCHEDULES, file.find(name)[0], "enabled")
        raise EditError(
            f"`enabled` of the schedule `{show(name)}` is written as `{show(written)}`, which is not "
            "changed here",
            help="edit the file by hand, or write `true` or `false` there",
            location=str(file.document.locate(place)),
        )


def _find_last_before_switch(entry: MapNode, name: str) -> str:
    """The key after whose line `enabled` goes: of those before it in the order of the reference
    that have their values on the same line, the last one in the file.
    """
    keys = [
        key
        for key in KEY_ORDER[: KEY_ORDER.index("enabled")]
        if isinstance(node := entry.nodes.get(key), ScalarEvent)
        and entry.start.index <= entry.keys[key].start_mark.index < entry.end.index
        and entry.keys[key].start_mark.line == node.end_mark.line
        and node.value
    ]
    if not keys:
        raise EditError(f"the schedule `{show(name)}` is written in an unusual way", help=_BY_HAND)
    return max(keys, key=lambda key: entry.keys[key].start_mark.index)


def _remove(file: Editable, name: str) -> tuple[str, JsonValue]:
    index, _ = file.find(name)
    items = file.schedules()
    data, schedules = _copy(file)
    del schedules[index]
    if file.is_flow(items):
        return _splice(file.text, *_flow_span(file, items, index), ""), data
    if not schedules:
        _put(data, None)  # nothing stands behind the key then
    return _splice(file.text, *_block_span(file, items, index), ""), data


def _flow_span(file: Editable, items: ListNode, index: int) -> tuple[int, int]:
    """From where to where an entry of a list in brackets is removed, with one comma."""
    node = items.nodes[index]
    if index + 1 < len(items.nodes):
        return node_start(node), node_start(items.nodes[index + 1])
    if index:
        return node_end(items.nodes[index - 1]), node_end(node)
    comma = _COMMA.match(file.text, node_end(node))
    return node_start(node), comma.end() if comma else node_end(node)


def _block_span(file: Editable, items: ListNode, index: int) -> tuple[int, int]:
    """The lines of an entry, the comment right above it, and the blank lines that part it from the
    entry before, or the one after.
    """
    depth = items.start.column
    start = file.line_start(_find_dash(file, items, index))
    while file.comment_depth(above := file.line_above(start)) == depth:
        start = above
    end = file.next_line(file.skip_comments(file.content_end(items.nodes[index]), depth + 1))
    if index and index == len(items.nodes) - 1:
        while file.is_blank(above := file.line_above(start)):
            start = above
    elif not index or file.is_blank(file.line_above(start)):
        while file.is_blank(end):
            end = file.next_line(end)
    if end == len(file.text) and not file.text.endswith("\n"):
        return file.line_end(file.line_above(start)), end
    return start, end


def _find_dash(file: Editable, items: ListNode, index: int) -> int:
    """Where the dash of an entry stands."""
    if not index:
        return items.start.index
    between = file.text[node_end(items.nodes[index - 1]) : node_start(items.nodes[index])]
    dashes = list(re.finditer(rf"^ {{{items.start.column}}}-(?=\s)", between, re.MULTILINE))
    if not dashes:
        raise EditError("the list of schedules is written in an unusual way", help=_BY_HAND)
    return node_end(items.nodes[index - 1]) + dashes[-1].start()


def _add(file: Editable, fields: dict[str, JsonValue]) -> tuple[str, JsonValue]:
    name = fields.get("name")
    items = file.schedules()
    if any(isinstance(node, MapNode) and node.data.get("name") == name for node in items.nodes):
        raise EditError(
            f"there is a schedule `{show(name)}` in runner.yaml already",
            help="choose another name, or change that schedule",
        )
    data, schedules = _copy(file)
    schedules.append(fields)
    _put(data, schedules)
    if not items.nodes:
        return _add_list(file, fields), data
    if file.is_flow(items):
        return _insert(file.text, node_end(items.nodes[-1]), f", {render_flow(fields)}"), data
    return _append_block(file, items, fields), data


def _append_block(file: Editable, items: ListNode, fields: dict[str, JsonValue]) -> str:
    """The entry below the last one, as deep as that, and with a blank line where those have one."""
    depth, last = items.start.column, items.nodes[-1]
    width = max(file.block_column(last) - depth, _STEP)
    lines = [f"{' ' * depth}{line}" for line in render_entry(fields, width)]
    if len(items.nodes) > 1:
        dash = file.line_start(_find_dash(file, items, len(items.nodes) - 1))
        between = file.text[file.next_line(file.content_end(items.nodes[-2])) : dash]
        lines[:0] = [""] if any(not line.strip() for line in between.splitlines()) else []
    at = file.skip_comments(file.content_end(items), depth + 1)
    return _insert_lines(file, at, lines)


def _add_list(file: Editable, fields: dict[str, JsonValue]) -> str:
    """The entry with the keys around it that are missing, or have no value yet."""
    node, rest = file.root, SCHEDULES
    child = node.nodes.get(rest[0])
    while isinstance(child, MapNode) and child.nodes and len(rest) > 1:
        node, rest = child, rest[1:]
        child = node.nodes.get(rest[0])
    value: JsonValue = [fields]
    for key in reversed(rest[1:]):
        value = {key: value}
    if child is None:
        return _add_key(file, node, rest[0], value)
    if node.data[rest[0]]:
        raise EditError(
            f"`{rest[0]}` does not hold what it should", help="see `orchestrate validate`"
        )
    return _fill_key(file, node, rest[0], value)


def _add_key(file: Editable, node: MapNode, key: str, value: JsonValue) -> str:
    if file.is_flow(node):
        last = max(map(node_end, node.nodes.values()))
        return _insert(file.text, last, f", {key}: {render_flow(value)}")
    depth = node.start.column
    lines = [f"{' ' * depth}{line}" for line in render_block(key, value, _step(file))]
    return _insert_lines(file, file.skip_comments(file.content_end(node), depth), lines)


def _fill_key(file: Editable, node: MapNode, key: str, value: JsonValue) -> str:
    """Put the value behind a key that has none, or an empty one."""
    start, end = node_start(node.nodes[key]), node_end(node.nodes[key])
    if file.is_flow(node):
        space = " " if file.text[start - 1] == ":" else ""
        return _splice(file.text, start, end, f"{space}{render_flow(value)}")
    if start < end:
        start = len(file.text[:start].rstrip(" \t"))
    emptied = Editable(_splice(file.text, start, end, ""), file.document)
    depth = node.keys[key].start_mark.column
    lines = [f"{' ' * depth}{line}" for line in render_block(key, value, _step(file))[1:]]
    return _insert_lines(emptied, emptied.line_end(start), lines)


def _step(file: Editable) -> int:
    """How much deeper the values of mappings are than their keys."""
    return file.block_column(file.root.nodes.get("runner")) or _STEP


def _copy(file: Editable) -> tuple[dict[str, JsonValue], list[JsonValue]]:
    """What the file says, to be changed: all of it, and the schedules in it (or none)."""
    data: dict[str, JsonValue] = json.loads(
        json.dumps(file.document.data)
    )  # without what aliases share
    value: JsonValue = data
    for key in SCHEDULES:
        value = value.get(key) if isinstance(value, dict) else None
    return data, value if isinstance(value, list) else []


def _put(data: dict[str, JsonValue], schedules: JsonValue) -> None:
    node = data
    for key in SCHEDULES[:-1]:
        inner = node.get(key)
        node[key] = inner = inner if isinstance(inner, dict) else {}
        node = inner
    node[SCHEDULES[-1]] = schedules


def _insert(text: str, at: int, new: str) -> str:
    return _splice(text, at, at, new)


def _insert_lines(file: Editable, at: int, lines: list[str]) -> str:
    """The lines below the one that ends at `at`."""
    return _insert(file.text, at, "".join(f"{file.newline}{line}" for line in lines))


def _splice(text: str, start: int, end: int, new: str) -> str:
    return text[:start] + new + text[end:]
