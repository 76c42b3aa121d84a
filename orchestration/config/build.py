"""Puts the events of the YAML parser together to values, each with its place.

The events of the C parser are used, one pass with a stack of its own, and not its `compose`, which
recurses in C: a file of nothing but brackets ends the process with a segmentation fault there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from orchestration.config import yaml_rules
from orchestration.config.document import ListNode, MapNode
from orchestration.config.scalars import read_plain
from orchestration.config.secrets import HIDDEN, is_secret_key, mask_line
from orchestration.config.syntax import find_glued_key

if TYPE_CHECKING:
    from collections.abc import Collection

    from yaml import CSafeLoader
    from yaml.events import Event

    from orchestration.config.document import Document, Mark, Node
    from orchestration.config.rules import Rule
    from orchestration.config.scalars import Trap
    from orchestration.domain.events import JsonValue

MAX_DEPTH = 50
MAX_EXTRA_VALUES = 20_000
"""How many values the aliases of a file may add to the values that are written in it."""


class StopError(Exception):
    """The rest of the file is not read; the problem is reported."""


@dataclass(slots=True, eq=False)
class _Frame:
    """An open collection. `key` is the key whose value is awaited; None while a key is awaited.

    `height` is the number of levels of its highest value so far; `before` the number of values in
    the file before it. `merging` says that the awaited value belongs to a `<<`.
    """

    node: MapNode | ListNode
    anchor: str | None
    before: int
    height: int = 0
    key: ScalarEvent | None = None
    key_text: str = ""
    merging: bool = False
    merged: list[MapNode] | None = None


@dataclass(slots=True, eq=False)
class _Anchored:
    """A value that aliases may repeat; `count` and `height` are of the value written out."""

    value: JsonValue
    node: Node
    count: int = 1
    height: int = 0


class Builder:
    """Fills a document with what a parser reads from its content."""

    def __init__(self, document: Document, what: str, date_keys: Collection[str]) -> None:
        self._document = document
        self._what = what
        self._date_keys = date_keys
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchored] = {}
        self._documents = 0
        self._count = 0
        self._last: Event  # where it ends, the content so far ends
        self._limit = len(document.content) + MAX_EXTRA_VALUES

    def read(self, parser: CSafeLoader) -> None:
        """Read all events.

        Raises:
            StopError: the rest cannot be used.
            YAMLError: of the parser.
        """
        while (event := parser.get_event()) is not None:
            if type(event) is ScalarEvent:  # the common case, without a detour
                self._last = event
                self._scalar(event)
            else:
                self._take(event)
        if not self._documents:
            self._document.report(yaml_rules.EMPTY)

    def _take(self, event: Event) -> None:
        match event:
            case MappingStartEvent():
                self._start_mapping(event)
            case SequenceStartEvent():
                self._start_list(event)
            case MappingEndEvent() | SequenceEndEvent():
                self._end(event)
            case AliasEvent():
                self._alias(event)
            case DocumentStartEvent():
                self._start_document(event)
            case _:
                pass

    def _start_document(self, event: DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            self._stop(yaml_rules.SEVERAL_DOCUMENTS, event)

    def _scalar(self, event: ScalarEvent) -> None:
        if event.tag is not None:
            self._report(yaml_rules.TAG, event, tag=_tag_name(event.tag))
        text: str = event.value
        if event.style == "" and event.implicit[0]:
            value, trap = read_plain(text)
            if trap is not None:
                self._report_trap(event, trap)
        else:
            value = text
        self._add(value, event, 0, event)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(value, event)

    def _start_mapping(self, event: MappingStartEvent) -> None:
        node = MapNode(event.start_mark, event.end_mark)
        if not self._stack:
            self._document.root = node
        self._open(node, event)

    def _start_list(self, event: SequenceStartEvent) -> None:
        if not self._stack:
            self._stop_without_keys(event, found="a list")
        self._open(ListNode(event.start_mark, event.end_mark), event)

    def _open(
        self, node: MapNode | ListNode, event: MappingStartEvent | SequenceStartEvent
    ) -> None:
        if event.tag is not None:
            self._report(yaml_rules.TAG, event, tag=_tag_name(event.tag))
        stack = self._stack
        if stack and stack[-1].key is None and isinstance(stack[-1].node, MapNode):
            self._stop_odd_key(event, is_mapping=isinstance(node, MapNode))
        if len(stack) >= MAX_DEPTH:
            self._stop(yaml_rules.TOO_DEEP, event, limit=str(MAX_DEPTH))
        stack.append(_Frame(node, event.anchor, self._count))

    def _end(self, event: MappingEndEvent | SequenceEndEvent) -> None:
        frame = self._stack.pop()
        node = frame.node
        if event.start_mark.index != event.end_mark.index:  # a bracket
            self._last = event
        node.end = self._last.end_mark
        if frame.merged is not None and isinstance(node, MapNode):
            _merge(node, frame.merged)
        if frame.anchor is not None:
            count = self._count - frame.before + 1
            self._anchors[frame.anchor] = _Anchored(node.data, node, count, frame.height)
        if self._stack:
            self._add(node.data, node, frame.height, event)

    def _alias(self, event: AliasEvent) -> None:
        self._last = event
        name: str = event.anchor
        if any(frame.anchor == name for frame in self._stack):
            self._stop(yaml_rules.ENDLESS_ALIAS, event, name=name)
        anchored = self._anchors.get(name)
        if anchored is None:
            self._stop(yaml_rules.UNKNOWN_ALIAS, event, name=name)
        if len(self._stack) + anchored.height > MAX_DEPTH:
            self._stop(yaml_rules.TOO_DEEP, event, limit=str(MAX_DEPTH))
        self._count += anchored.count - 1
        self._add(anchored.value, anchored.node, anchored.height, event)

    def _add(self, value: JsonValue, node: Node, height: int, event: Event) -> None:
        """Put a value of that height where the innermost open collection awaits one."""
        self._count += 1
        if self._count > self._limit:
            self._stop(yaml_rules.TOO_MANY_VALUES, event, limit=str(self._limit))
        if not self._stack:
            self._stop_without_keys(event, found="a text")
        frame = self._stack[-1]
        if height >= frame.height:
            frame.height = height + 1
        collection = frame.node
        if isinstance(collection, ListNode):
            collection.data.append(value)
            collection.nodes.append(node)
        elif frame.key is None:
            self._take_key(frame, value, node, event)
        elif frame.merging:
            self._take_merged(frame, node, event)
        else:
            self._take_value(frame, collection, value, node)

    def _take_key(self, frame: _Frame, value: JsonValue, node: Node, event: Event) -> None:
        if not isinstance(node, ScalarEvent):
            self._stop_odd_key(event, is_mapping=isinstance(node, MapNode))
        text: str = node.value
        if not isinstance(value, str) and read_plain(text)[1] is None:
            found = f"`{text}`, {_kind(value)}" if text else "empty"
            cure = f'put it in quotes: `"{text}":`' if text else "write the key before the colon"
            self._report(yaml_rules.KEY_NOT_TEXT, event, found=found, cure=cure)
        frame.key, frame.key_text = node, text
        frame.merging = text == "<<" and node.style == ""

    def _take_value(self, frame: _Frame, mapping: MapNode, value: JsonValue, node: Node) -> None:
        key, text = frame.key, frame.key_text
        frame.key = None
        if key is None:
            return
        first = mapping.keys.get(text)
        if first is None:
            mapping.data[text], mapping.keys[text], mapping.nodes[text] = value, key, node
        else:
            self._report(
                yaml_rules.DUPLICATE_KEY,
                key,
                key=mask_line(text),
                line=str(first.start_mark.line + 1),
            )

    def _take_merged(self, frame: _Frame, node: Node, event: Event) -> None:
        frame.key, frame.merging = None, False
        sources = node.nodes if isinstance(node, ListNode) else [node]
        for source in sources:
            if not isinstance(source, MapNode):
                found = "a list" if isinstance(source, ListNode) else "a text"
                self._report(yaml_rules.BAD_MERGE, event, found=found)
            else:
                frame.merged = [*(frame.merged or ()), source]

    def _report_trap(self, event: ScalarEvent, trap: Trap) -> None:
        text, rule = event.value, trap.rule
        first, second, meant = trap.first, trap.second, trap.meant
        frame = self._stack[-1] if self._stack else None
        is_date = rule is yaml_rules.UNQUOTED_DATE
        if is_date and frame and frame.key and frame.key_text in self._date_keys:
            return
        if frame and frame.key is None and isinstance(frame.node, MapNode):
            rule = yaml_rules.AMBIGUOUS_KEY
        elif frame and is_secret_key(frame.key_text):
            text = first = second = meant = HIDDEN
        values = {"text": text, "first": first, "second": second, "meant": meant}
        self._report(rule, event, quoted=f'"{text}"', **values)

    def _stop_without_keys(self, event: Event, found: str) -> NoReturn:
        glued = isinstance(event, ScalarEvent) and find_glued_key(event.value)
        cure = "put a space after each colon" if glued else "write `key: value` lines"
        self._stop(yaml_rules.NOT_A_MAPPING, event, what=self._what, found=found, cure=cure)

    def _stop_odd_key(self, event: Event, *, is_mapping: bool) -> NoReturn:
        found = "a mapping" if is_mapping else "a list"
        cure = "put a text with `{{ }}` or `[ ]` in quotes"
        self._stop(yaml_rules.KEY_NOT_TEXT, event, found=found, cure=cure)

    def _stop(self, rule: Rule, event: Event, **values: str) -> NoReturn:
        self._report(rule, event, **values)
        raise StopError

    def _report(self, rule: Rule, event: Event, **values: str) -> None:
        start: Mark = event.start_mark
        end: Mark = event.end_mark
        length = end.column - start.column if start.line == end.line else 1
        location = self._document.location_at(start.line, start.column, length)
        self._document.report_at(rule, location, **values)


def _tag_name(tag: str) -> str:
    """The tag as it is written: `!!python/object:os.system`, `!include`."""
    return tag.replace("tag:yaml.org,2002:", "!!")


def _kind(value: JsonValue) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case _:
            return "a number"


def _merge(mapping: MapNode, sources: list[MapNode]) -> None:
    """Take over the keys that `mapping` has not itself; earlier sources win (YAML merge type)."""
    for source in sources:
        for key, value in source.data.items():
            if key not in mapping.keys:
                mapping.data[key] = value
                mapping.keys[key] = source.keys[key]
                mapping.nodes[key] = source.nodes[key]
