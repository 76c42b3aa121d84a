"""`on_asset`: which job produces the asset whose update starts another job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestration.config import workspace_rules
from orchestration.config.words import list_words, show, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestration.config.document import Document, Place
    from orchestration.config.entries import Entry
    from orchestration.config.rules import Rule
    from orchestration.domain.job import BrokenJob, Job

_LONGEST_CIRCLE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLink:
    """What is wrong with the `on_asset` of an entry. `values` fill the templates of the rule."""

    rule: Rule
    values: Mapping[str, object] = field(default_factory=dict[str, object])
    hint: str = ""

    def report(self, document: Document, entry: Entry) -> None:
        """Report it where the entry has its `on_asset`."""
        place: Place = (*entry.place, "on_asset")
        document.report(self.rule, place, on="value", hint=self.hint, **self.values)


class AssetLinks:
    """Takes one entry after the other; the first to close a circle is refused."""

    def __init__(self, jobs: Iterable[Job | BrokenJob]) -> None:
        self._owners = {job.asset_key: job.id for job in jobs}
        self._keys: dict[str, list[tuple[str, ...]]] = {}
        for key in self._owners:
            self._keys.setdefault(_short(key), []).append(key)
        self._started: dict[str, list[str]] = {}

    def add(self, entry: Entry, job_id: str) -> tuple[str, ...] | BadLink:
        """The key of the asset whose update starts the job by this entry."""
        name, asset = show(entry.fields.name), entry.fields.on_asset
        keys = self._find(asset)
        if not keys:
            return BadLink(
                rule=workspace_rules.UNKNOWN_ASSET,
                hint=suggest(asset, self._keys),
                values={"asset": show(asset)},
            )
        if len(keys) > 1:
            choices = list_words(f"`{'/'.join(key)}`" for key in keys)
            values = {"asset": show(asset), "keys": choices}
            return BadLink(rule=workspace_rules.AMBIGUOUS_ASSET, values=values)
        owner = self._owners[keys[0]]
        if owner == job_id:
            return BadLink(rule=workspace_rules.OWN_ASSET, values={"name": name})
        if way := self._find_way(job_id, owner):
            circle = " -> ".join(f"`{job}`" for job in (*way, job_id)[-_LONGEST_CIRCLE:])
            values = {"name": name, "circle": circle}
            return BadLink(rule=workspace_rules.ASSET_CIRCLE, values=values)
        self._started.setdefault(owner, []).append(job_id)
        return keys[0]

    def _find(self, text: str) -> list[tuple[str, ...]]:
        """The asset of that whole key, else all with that tenant and name."""
        parts = tuple(text.split("/"))
        return [parts] if parts in self._owners else self._keys.get(text, [])

    def _find_way(self, start: str, end: str) -> list[str]:
        """The jobs on the way from one that starts others to `end`, both included."""
        before: dict[str, str | None] = {start: None}
        open_ends = [start]
        while open_ends and end not in before:
            job = open_ends.pop()
            for following in self._started.get(job, ()):
                if following not in before:
                    before[following] = job
                    open_ends.append(following)
        way: list[str] = []
        at = end if end in before else None
        while at is not None:
            way.append(at)
            at = before[at]
        return way[::-1]


def _short(key: tuple[str, ...]) -> str:
    return f"{key[0]}/{key[-1]}"
