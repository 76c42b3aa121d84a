"""The schedule entries as runner.yaml has them now, the broken ones too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestration.cli.errors import BrokenRunnerError
from orchestration.cli.schedule.errors import UnknownScheduleError
from orchestration.config.document import ListNode, MapNode
from orchestration.config.files import Disk, Layout
from orchestration.config.parse import parse
from orchestration.config.variables import resolve_references
from orchestration.config.words import suggest
from orchestration.domain.problem import format_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from orchestration.config.document import Document, Mark, Node, Place
    from orchestration.domain.events import JsonValue
    from orchestration.domain.job import BrokenJob, Job
    from orchestration.domain.problem import Location, Problem
    from orchestration.domain.workspace import Workspace

_SCHEDULES: Final[Place] = ("runner", "orchestrator", "schedules")
Spot = tuple[int, int]
"""A line and a column, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenEntry:
    """One entry, with its references to the environment resolved.

    `name` is None where there is none that is a text. `switch` is where `enabled` stands, or the
    entry where it does not say. `spans` are the places of all its keys and values.
    """

    name: str | None
    fields: Mapping[str, JsonValue]
    location: Location
    switch: Location
    spans: tuple[tuple[Spot, Spot], ...]

    @property
    def enabled(self) -> bool:
        """Whether the entry lets the schedule fire; so it does where it does not say."""
        return self.fields.get("enabled", True) is not False

    def text(self, key: str) -> str | None:
        """The text at a key, None where there is none."""
        value = self.fields.get(key)
        return value if isinstance(value, str) else None

    def errors_in(self, problems: Iterable[Problem]) -> list[Problem]:
        """Those of the problems that are errors of this entry."""
        return [p for p in problems if p.is_error and self.holds(p.location)]

    def holds(self, location: Location) -> bool:
        """Whether the location lies within a key or a value of this entry."""
        spot = (location.line, location.column)
        in_file = location.file == self.location.file
        return in_file and any(start <= spot <= end for start, end in self.spans)


def read_entries(
    content: bytes, file: Path, environ: Mapping[str, str]
) -> tuple[tuple[WrittenEntry, ...], bool]:
    """The entries in `content`, that of the runner.yaml `file`, in their order, and whether these
    are all: of a file that is no YAML there are those before the error.
    """
    document = parse(content, file=file.name)
    data: JsonValue = resolve_references(document, lambda _: "load", environ)
    for key in _SCHEDULES:
        data = data.get(str(key)) if isinstance(data, dict) else None
    node = _find(document.root, _SCHEDULES)
    if not isinstance(data, list) or not isinstance(node, ListNode):
        return (), document.complete
    pairs = enumerate(zip(data, node.nodes, strict=False))
    found = tuple(_entry(document, index, value, child) for index, (value, child) in pairs)
    return found, document.complete


def find_entry(entries: Sequence[WrittenEntry], name: str) -> WrittenEntry:
    """The first entry with that name.

    Raises:
        UnknownScheduleError: there is none.
    """
    for entry in entries:
        if entry.name == name:
            return entry
    hint = suggest(name, [entry.name for entry in entries if entry.name])
    raise UnknownScheduleError(
        f"there is no schedule `{name}` in runner.yaml",
        help=f"{hint} `orchestrate schedule list` shows all".lstrip(),
    )


def find_job_of(workspace: Workspace, config: str | None) -> Job | BrokenJob | None:
    """The job whose file the `config` of an entry names, healthy or broken; None if there is none."""
    if not config:
        return None
    layout = Layout(str(workspace.root), Disk())
    file = layout.display(layout.resolve(config))
    jobs = (*workspace.jobs, *workspace.broken_jobs)
    return next((job for job in jobs if job.location.file == file), None)


def refuse_unreadable(problems: Iterable[Problem], file: Path) -> None:
    """Raises if runner.yaml has errors, for one who cannot go on then.

    Raises:
        BrokenRunnerError: with all of them.
    """
    found = [p for p in problems if p.is_error and p.location.file == file.name]
    if found:
        shown = "\n".join(map(format_problem, found))
        raise BrokenRunnerError(
            f"runner.yaml has errors, so its schedules are not known:\n{shown}",
            help="correct the file; `orchestrate validate` checks it again",
        )


def _entry(document: Document, index: int, value: JsonValue, node: Node) -> WrittenEntry:
    place: Place = (*_SCHEDULES, index)
    fields = value if isinstance(value, dict) else {}
    name = fields.get("name")
    return WrittenEntry(
        name=name if isinstance(name, str) and name else None,
        fields=fields,
        location=document.locate(place),
        switch=document.locate((*place, "enabled"), on="key"),
        spans=tuple(_spans(node)),
    )


def _find(node: Node | None, place: Place) -> Node | None:
    for step in place:
        node = node.nodes.get(str(step)) if isinstance(node, MapNode) else None
    return node


def _spans(node: Node) -> Iterator[tuple[Spot, Spot]]:
    match node:
        case MapNode(start=start, keys=keys, nodes=nodes):
            yield _spot(start), _spot(start)
            for key, child in nodes.items():
                yield _spot(keys[key].start_mark), _spot(keys[key].end_mark)
                yield from _spans(child)
        case ListNode(start=start, nodes=children):
            yield _spot(start), _spot(start)
            for child in children:
                yield from _spans(child)
        case _:
            yield _spot(node.start_mark), _spot(node.end_mark)


def _spot(mark: Mark) -> Spot:
    return (mark.line + 1, mark.column + 1)
