"""The last good versions of single schedules, kept while their entries in runner.yaml are broken.

They are one text beside the last good runner.yaml: a runner.yaml of nothing but these entries, so
that the rest of the file can move on. JSON is YAML, and entries written out need no anchors.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestration.config.document import Document, Place
    from orchestration.config.entries import Entry
    from orchestration.config.runner_settings import RunnerContent
    from orchestration.domain.events import JsonValue


@dataclass(frozen=True, slots=True)
class Version:
    """A text of runner.yaml, or of spares, and what it says now."""

    document: Document
    content: RunnerContent


def spares_name(file: str) -> str:
    """Under which name the spares of a file are kept."""
    return f"{file}#schedules"


def fill_gaps(content: RunnerContent, versions: Iterable[Version]) -> tuple[Entry, ...]:
    """The entries of `content` in their order, with the older ones for those that are broken, which
    stand in their places. Of several versions of an entry the last one counts.
    """
    taken = {entry.fields.name for entry in content.entries}
    gaps = {name: p for name, p in content.broken_entries.items() if name not in taken}
    older = {e.fields.name: e for version in versions for e in version.content.entries}
    filled = [replace(older[name], place=place) for name, place in gaps.items() if name in older]
    return tuple(sorted((*content.entries, *filled), key=lambda entry: entry.place[-1]))


def render_spares(broken: Iterable[str], old: Version | None, spares: Version | None) -> str | None:
    """The text to keep for the names in `broken`; None if no version of them ever worked.

    A spare is kept also while it cannot serve, because its job file is missing for example.
    """
    found: dict[str, JsonValue] = {}
    if old:
        found |= {e.fields.name: _take(old, e.place) for e in old.content.entries}
    if spares:
        content = spares.content
        found |= {name: _take(spares, place) for name, place in content.broken_entries.items()}
        found |= {e.fields.name: _take(spares, e.place) for e in content.entries}
    entries = [found[name] for name in sorted(broken) if name in found]
    if not entries:
        return None
    return json.dumps({"runner": {"orchestrator": {"schedules": entries}}}, ensure_ascii=False)


def _take(version: Version, place: Place) -> JsonValue:
    value: JsonValue = version.document.data
    for step in place:
        if isinstance(value, dict):
            value = value[str(step)]
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step]
    return value
