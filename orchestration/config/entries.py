"""The schedule entries of runner.yaml: each is judged alone, so that one costs no other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from orchestration.config import names, workspace_rules
from orchestration.config.checks import check_tags, refuse_name
from orchestration.config.runner_file import ScheduleEntry
from orchestration.config.times import read_timing
from orchestration.config.translate import Translator
from orchestration.config.validation import validate
from orchestration.config.words import show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestration.config.document import Document, Place
    from orchestration.config.finder import JobFinder
    from orchestration.config.times import Timing
    from orchestration.domain.events import JsonValue

SCHEDULES: Place = ("runner", "orchestrator", "schedules")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A schedule entry that is right. `path` is its job file, which exists and is not read yet."""

    place: Place
    fields: ScheduleEntry
    timing: Timing
    path: str


def read_entries(
    document: Document, raw: Sequence[JsonValue], finder: JobFinder
) -> tuple[tuple[Entry, ...], dict[str, Place]]:
    """The entries that are right, and the places of the others by name, if that can be read.

    Entries whose job file `finder` does not want are passed over.
    """
    entries: list[Entry] = []
    broken: dict[str, Place] = {}
    for index, value in enumerate(raw):
        if not finder.is_wanted(_text(value, "config")):
            continue
        place: Place = (*SCHEDULES, index)
        entry = _read_entry(document, place, value, finder)
        if entry is not None:
            entries.append(entry)
        elif name := _text(value, "name"):
            broken.setdefault(name, place)
    twice = check_unique(document, "schedule", {e.place: e.fields.name for e in entries})
    return tuple(entry for entry in entries if entry.place not in twice), broken


def check_unique(document: Document, kind: str, named: Mapping[Place, str]) -> set[Place]:
    """Report the places whose name an earlier one has, and return them."""
    first: dict[str, Place] = {}
    twice: set[Place] = set()
    for place, name in named.items():
        if name in first:
            twice.add(place)
            line = document.locate((*first[name], "name")).line
            document.report(
                workspace_rules.DUPLICATE_NAME,
                (*place, "name"),
                kind=kind,
                name=show(name),
                line=line,
            )
        first.setdefault(name, place)
    return twice


def names_in(document: Document, place: Place) -> dict[Place, str]:
    """The names of the entries in the list at a place, also of those that are wrong otherwise."""
    written = document.value(place)
    entries = enumerate(written) if isinstance(written, list) else ()
    return {(*place, index): name for index, entry in entries if (name := _text(entry, "name"))}


def _read_entry(
    document: Document, place: Place, value: JsonValue, finder: JobFinder
) -> Entry | None:
    before = document.error_count
    fields, faulty = _read_fields(document, place, value)
    if fields is None:
        return None
    refusal = names.check_schedule_name(fields.name)
    refuse_name(document, (*place, "name"), fields.name, "a schedule", refusal)
    check_tags(document, (*place, "tags"), fields.tags, strict_values=False)
    timing = read_timing(document, place, fields, faulty=faulty)
    path = finder.find(document, (*place, "config"), fields.config)
    has_errors = document.error_count > before or document.errors_within(place)
    if timing is None or path is None or has_errors:
        return None
    return Entry(place=place, fields=fields, timing=timing, path=path)


def _read_fields(
    document: Document, place: Place, value: JsonValue
) -> tuple[ScheduleEntry | None, frozenset[str]]:
    translator = Translator(document, ScheduleEntry, what="the schedule", prefix=place)
    if isinstance(value, dict):
        return validate(ScheduleEntry, value, translator)
    try:
        ScheduleEntry.model_validate(value)
    except ValidationError as error:
        translator.report(error)
    return None, frozenset()


def _text(value: JsonValue, key: str) -> str:
    text = value.get(key) if isinstance(value, dict) else None
    return text if isinstance(text, str) else ""
