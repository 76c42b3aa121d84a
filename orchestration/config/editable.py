"""The text of a runner.yaml that is to be edited, and what is where in it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yaml.events import ScalarEvent

from orchestration.config.document import ListNode, MapNode
from orchestration.config.instants import DATE_KEYS
from orchestration.config.parse import parse
from orchestration.config.words import show, suggest
from orchestration.errors import EditError

if TYPE_CHECKING:
    from orchestration.config.document import Document, Node
    from orchestration.domain.events import JsonValue

BYTE_ORDER_MARK = "\ufeff"
SCHEDULES = ("runner", "orchestrator", "schedules")
_FLOW_START = re.compile(r"(?:[&!]\S*\s+)*[\[{]")
_COMMENT = re.compile(r"( *)#")
_BLANK = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True)
class Editable:
    """A text without its byte order mark, and the document that it holds."""

    text: str
    document: Document

    @classmethod
    def of(cls, text: str) -> Editable:
        """The text, parsed.

        Raises:
            EditError: it has errors.
        """
        document = parse(text.encode(), file="runner.yaml", date_keys=DATE_KEYS)
        if not document.complete or document.has_errors:
            where = next((p.location for p in document.problems if p.is_error), None)
            raise EditError(
                "runner.yaml is no YAML that can be edited",
                help="correct what `orchestrate validate` shows",
                location=str(where) if where else None,
            )
        return cls(text, document)

    @property
    def root(self) -> MapNode:
        """The mapping at the top of the file."""
        assert self.document.root is not None  # noqa: S101 - a complete document has one
        return self.document.root

    @property
    def newline(self) -> str:
        """How lines end in this text."""
        first = self.text.find("\n")
        return "\r\n" if first > 0 and self.text[first - 1] == "\r" else "\n"

    def schedules(self) -> ListNode:
        """The list of schedules, an empty one where there is none."""
        node: Node | None = self.root
        for key in SCHEDULES:
            node = node.nodes.get(key) if isinstance(node, MapNode) else None
        return node if isinstance(node, ListNode) else ListNode(self.root.start, self.root.start)

    def find(self, name: str) -> tuple[int, MapNode]:
        """The index and the mapping of the schedule entry with that name.

        Raises:
            EditError: there is none, or there are several.
        """
        entries = [
            (index, node)
            for index, node in enumerate(self.schedules().nodes)
            if isinstance(node, MapNode) and isinstance(node.data.get("name"), str)
        ]
        found = [(index, node) for index, node in entries if node.data["name"] == name]
        if len(found) == 1:
            return found[0]
        if found:
            lines = ", ".join(str(node.start.line + 1) for _, node in found)
            raise EditError(
                f"`{show(name)}` names several schedules, in the lines {lines}",
                help="give each schedule a name of its own",
            )
        hint = suggest(name, [str(node.data["name"]) for _, node in entries])
        raise EditError(
            f"no schedule in runner.yaml is named `{show(name)}`{f', {hint}' if hint else ''}",
            help="`orchestrate schedule list` shows the schedules",
        )

    def is_flow(self, node: Node) -> bool:
        """Whether a collection is written with brackets."""
        return _FLOW_START.match(self.text, node_start(node)) is not None

    def block_column(self, node: Node | None) -> int:
        """The column of the keys of a mapping in lines; 0 for anything else."""
        if not isinstance(node, MapNode) or self.is_flow(node):
            return 0
        return node.start.column

    def content_end(self, node: Node) -> int:
        """Where a value ends, without the line breaks that belong to a block of text."""
        start, end = node_start(node), node_end(node)
        return start + len(self.text[start:end].rstrip())

    def line_start(self, index: int) -> int:
        """Where the line begins that `index` is in."""
        return self.text.rfind("\n", 0, index) + 1

    def line_above(self, start: int) -> int:
        """Where the line begins that is above the one that begins at `start`."""
        return self.line_start(max(start - 1, 0))

    def line_end(self, index: int) -> int:
        """Where the line ends that `index` is in, before its line break."""
        end = self.text.find("\n", index)
        end = len(self.text) if end < 0 else end
        return end - 1 if self.text[end - 1 : end + 1] == "\r\n" else end

    def next_line(self, index: int) -> int:
        """Where the line after the one begins that `index` is in; the end of the text if none does."""
        return self.text.find("\n", index) + 1 or len(self.text)

    def comment_depth(self, start: int) -> int | None:
        """The indentation of the line that begins at `start`, if it holds nothing but a comment."""
        match = _COMMENT.match(self.text, start)
        return len(match[1]) if match else None

    def is_blank(self, start: int) -> bool:
        """Whether the line that begins at `start` exists and is blank."""
        match = _BLANK.match(self.text, start)
        return start < len(self.text) and match is not None and match.end() == self.line_end(start)

    def skip_comments(self, index: int, depth: int) -> int:
        """Where the line ends that `index` is in, or the last of the comments that follow it at
        once and are at least that deep.
        """
        start = self.next_line(index)
        found = self.comment_depth(start)
        while found is not None and found >= depth:
            index, start = start, self.next_line(start)
            found = self.comment_depth(start) if start < len(self.text) else None
        return self.line_end(index)


def node_start(node: Node) -> int:
    """The index of the first character of a value."""
    return node.start_mark.index if isinstance(node, ScalarEvent) else node.start.index


def node_end(node: Node) -> int:
    """The index after the last character of a value."""
    return node.end_mark.index if isinstance(node, ScalarEvent) else node.end.index


def check_change(text: str, expected: JsonValue, cure: str) -> str:
    """The edited text, if it says what is expected, and nothing else.

    Raises:
        EditError: it does not.
    """
    document = parse(text.encode(), file="runner.yaml", date_keys=DATE_KEYS)
    is_right = document.complete and not document.has_errors
    if is_right and _as_json(document.data) == _as_json(expected):
        return text
    raise EditError("the change would alter other parts of runner.yaml too", help=cure)


def _as_json(data: JsonValue) -> str:
    """Tells values apart that are equal in Python, such as 1 and true."""
    return json.dumps(data, sort_keys=True)
