"""A parsed YAML file: plain values beside the place of each key and value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol

from yaml.events import ScalarEvent

from orchestration.config import yaml_rules
from orchestration.config.secrets import HIDDEN, mask, mask_line, mask_problem
from orchestration.domain.events import JsonValue
from orchestration.domain.problem import Location, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.config.rules import Rule
    from orchestration.domain.problem import Problem

Place = tuple[str | int, ...]
"""The way to a value from the top of its file: keys of mappings, indexes of lists."""

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_NOT_PRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONGEST_EXCERPT = 160
_BEFORE_MARK = 40
_PARTLY_HIDDEN = re.compile(r"[\w*.-]*\*{4}[\w*.-]*")
_WORD = re.compile(r"[^\W_]{4,}")
MOST_ERRORS = 300


def split_lines(text: str) -> list[str]:
    """The lines of `text`, broken where YAML 1.1 breaks them; at least one."""
    return _LINE_BREAK.split(text)


class Mark(Protocol):
    """A position in a file, as the YAML library has it: all three count from 0."""

    @property
    def index(self) -> int: ...  # noqa: D102
    @property
    def line(self) -> int: ...  # noqa: D102
    @property
    def column(self) -> int: ...  # noqa: D102


@dataclass(slots=True, eq=False)
class MapNode:
    """A mapping: `data` has its plain values; `keys` and `nodes` the places of keys and values.

    `end` is where the last thing inside of it ends, or its bracket: before blank lines and comments.
    """

    start: Mark
    end: Mark
    data: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    keys: dict[str, ScalarEvent] = field(default_factory=dict[str, ScalarEvent])
    nodes: dict[str, Node] = field(default_factory=dict[str, "Node"])


@dataclass(slots=True, eq=False)
class ListNode:
    """A list: `data` has its plain values, `nodes` their places. `end` is as that of a mapping."""

    start: Mark
    end: Mark
    data: list[JsonValue] = field(default_factory=list[JsonValue])
    nodes: list[Node] = field(default_factory=list["Node"])


Node = MapNode | ListNode | ScalarEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A text with references to the environment, and its `value`, which may be a secret."""

    written: str
    value: str

    def hide(self, text: str) -> str:
        """`text` with what is written instead of the value, and without the words of the value."""
        text = text.replace(self.value, self.written) if self.value else text
        for word in _WORD.findall(self.value):
            if word not in self.written:
                text = text.replace(word, HIDDEN)
        return _PARTLY_HIDDEN.sub(HIDDEN, text)


@dataclass(eq=False)
class Document:
    """One file, and what is wrong with it.

    `file` is how the file is named in messages. `root` is None where the file does not hold a
    mapping. `complete` says that all of the file could be read as YAML; what was read up to an
    error is in `root` all the same. `secrets` are its literal secrets, kept out of every message.
    `resolved` are its texts whose references to the environment are resolved: messages show them
    as they are written. `error_count` counts all errors, also those that are too many to be shown.
    """

    file: str
    content: bytes = b""
    root: MapNode | None = None
    complete: bool = False
    problems: list[Problem] = field(default_factory=list["Problem"])
    secrets: set[str] = field(default_factory=set[str])
    resolved: dict[Place, Resolved] = field(default_factory=dict[Place, Resolved])
    error_count: int = 0
    _settled: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])

    @property
    def has_errors(self) -> bool:
        """Whether something keeps what the file describes from running."""
        return self.error_count > 0

    @property
    def data(self) -> dict[str, JsonValue]:
        """The plain values of the file, empty if it holds no mapping."""
        return self.root.data if self.root else {}

    @cached_property
    def lines(self) -> Sequence[str]:
        """The lines of the file, broken where YAML breaks them."""
        return split_lines(self.content.decode(errors="replace"))

    def report(
        self,
        rule: Rule,
        place: Place = (),
        *,
        on: Literal["key", "value"] = "value",
        hint: str = "",
        **values: object,
    ) -> None:
        """Add a problem at `place`: on its key, or on its value if that is a scalar."""
        if resolved := self.resolved.get(place):
            values = {name: resolved.hide(str(value)) for name, value in values.items()}
        self.report_at(rule, self.locate(place, on=on), hint=hint, **values)

    def report_at(
        self, rule: Rule, location: Location, *, hint: str = "", **values: object
    ) -> None:
        """Add a problem at a location of this file, unless a problem there settles all."""
        spot = (location.line, location.column)
        if spot in self._settled:
            return
        if rule.settles:
            self._settled.add(spot)
        if rule.severity is Severity.ERROR:
            self.error_count += 1
            if self.error_count > MOST_ERRORS:
                return
        line, column = self._excerpt(location)
        problem = rule.problem(
            location, source_line=line, source_column=column, hint=hint, **values
        )
        self.problems.append(problem)

    def errors_within(self, place: Place) -> int:
        """How many errors stand inside the value at `place`, of those that are shown."""
        node = self._node(place)
        if node is None or not self.has_errors:
            return 0
        start, end = _span(node)
        found = (problem.location for problem in self.problems if problem.is_error)
        return sum(start <= (at.line - 1, at.column - 1) <= end for at in found)

    def _excerpt(self, location: Location) -> tuple[str, int]:
        """The text of the line, without what looks like a secret, and the column with which it
        begins. Of a long line it is the part with what is marked, cut only after secrets are masked:
        half a secret would not be found any more.
        """
        line = self.lines[location.line - 1] if location.line <= len(self.lines) else ""
        marked = location.column - 1
        is_near = marked + location.length <= _LONGEST_EXCERPT
        start = 0 if is_near else max(0, marked - _BEFORE_MARK)
        end = start + _LONGEST_EXCERPT
        text = mask_line(_NOT_PRINTABLE.sub(" ", line[: end + _LONGEST_EXCERPT]))
        return mask(text, sorted(self.secrets, key=len, reverse=True))[
            start:end
        ].rstrip(), start + 1

    def shed(self) -> None:
        """Let go of the values: thousands of files are not kept in memory with each place."""
        self.root = None
        self.__dict__.pop("lines", None)

    def finish(self) -> tuple[Problem, ...]:
        """All problems, as they may be shown."""
        found = list(self.problems)
        if self.error_count > MOST_ERRORS:
            found.append(yaml_rules.MORE_ERRORS.problem(self.locate(()), shown=MOST_ERRORS))
        secrets = sorted(self.secrets, key=len, reverse=True)
        return tuple(mask_problem(problem, secrets) if secrets else problem for problem in found)

    def locate(self, place: Place, *, on: Literal["key", "value"] = "value") -> Location:
        """Where `place` stands, or the nearest thing around it that exists."""
        key: ScalarEvent | None = None
        node: Node | None = self.root
        for step in place:
            if isinstance(node, MapNode) and step in node.nodes:
                key, node = node.keys[str(step)], node.nodes[str(step)]
            elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.nodes):
                key, node = None, node.nodes[step]
            else:
                break
        return self._location(key if key and (on == "key" or not _is_visible(node)) else node)

    def has(self, place: Place) -> bool:
        """Whether the file has something at `place`."""
        return self._node(place) is not None

    def value(self, place: Place) -> JsonValue:
        """The value of the key at `place` as the file has it; None where it has no such key."""
        value: JsonValue = self.data
        for step in place:
            value = value.get(str(step)) if isinstance(value, dict) else None
        return value

    def written(self, place: Place) -> str | None:
        """The scalar at `place` as the file has it, None where there is no scalar."""
        node = self._node(place)
        return node.value if isinstance(node, ScalarEvent) else None

    def _node(self, place: Place) -> Node | None:
        node: Node | None = self.root
        for step in place:
            if isinstance(node, MapNode):
                node = node.nodes.get(str(step))
            elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.nodes):
                node = node.nodes[step]
            else:
                return None
        return node

    def location_at(self, line: int, column: int, length: int = 1) -> Location:
        """The location for positions that count from 0."""
        return Location(file=self.file, line=line + 1, column=column + 1, length=max(1, length))

    def _location(self, node: Node | None) -> Location:
        match node:
            case None:
                return Location(file=self.file)
            case ScalarEvent(start_mark=start, end_mark=end):
                same_line = start.line == end.line
                rest = len(self.lines[start.line]) - start.column
                length = end.column - start.column if same_line else rest
                return self.location_at(start.line, start.column, length)
            case _:
                return self.location_at(node.start.line, node.start.column)


def _is_visible(node: Node | None) -> bool:
    """Whether the value itself can be underlined: a scalar that is not empty."""
    return isinstance(node, ScalarEvent) and (
        node.start_mark.index != node.end_mark.index or bool(node.value)
    )


def _span(node: Node) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last position of the node, as line and column from 0."""
    if isinstance(node, ScalarEvent):
        start, end = node.start_mark, node.end_mark
    else:
        start, end = node.start, node.end
    return (start.line, start.column), (end.line, end.column)
