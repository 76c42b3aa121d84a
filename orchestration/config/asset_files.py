"""Reads asset definitions: the files that `asset_path` of job files names, each one once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from orchestration.config import field_rules, workspace_rules
from orchestration.config.asset_file import (
    INACTIVE_ASSET_KEYS,
    INACTIVE_FIELD_KEYS,
    LABEL_KEYS,
    AssetFile,
    NestedAssetFile,
)
from orchestration.config.entries import check_unique, names_in
from orchestration.config.translate import Translator
from orchestration.config.validation import validate
from orchestration.config.words import show
from orchestration.domain.records import RecordField

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestration.config.asset_file import AssetField
    from orchestration.config.document import Document, Place
    from orchestration.config.files import Layout

WHAT = "an asset definition"
_HIDDEN = INACTIVE_ASSET_KEYS | INACTIVE_FIELD_KEYS | (LABEL_KEYS - {"name", "description"})
_WRAPPER = "asset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """An asset definition: its fields, and how messages call its file."""

    fields: tuple[RecordField, ...]
    file: str


class AssetFiles:
    """The definitions that were asked for. `open_file` makes the document of an absolute path, and
    `open_last_good` that of a name, as the file was when it last loaded well.
    """

    def __init__(
        self,
        layout: Layout,
        open_file: Callable[[str], Document],
        open_last_good: Callable[[str], Document | None],
    ) -> None:
        self._layout = layout
        self._open_file = open_file
        self._open_last_good = open_last_good
        self._documents: dict[str, Document] = {}
        self._fields: dict[str, tuple[RecordField, ...] | None] = {}

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that were read."""
        return tuple(map(Path, self._documents))

    @property
    def documents(self) -> tuple[Document, ...]:
        """The documents of these files, with their problems."""
        return tuple(self._documents.values())

    def read(self, document: Document, place: Place, text: str) -> Definition | None:
        """The definition that a job file names at `place`; None, and a report there, if it cannot
        be used.
        """
        path, shown = self._layout.resolve(text), show(text)
        if not self._layout.is_inside(path):
            document.report(workspace_rules.OUTSIDE_ROOT, place, path=shown)
            return None
        if not self._layout.files.is_file(path):
            document.report(
                workspace_rules.MISSING_FILE,
                place,
                what="asset definition",
                path=shown,
                looked=f"`{path}`",
            )
            return None
        fields = self._read(path)
        if fields is None:
            document.report(workspace_rules.BROKEN_DEFINITION, place, path=shown)
            return None
        return Definition(fields=fields, file=self._layout.display(path))

    def read_older(self, document: Document, place: Place, text: str) -> Definition | None:
        """As `read`, but where the file cannot be used now, its last good version serves."""
        path = self._layout.resolve(text)
        name = self._layout.display(path)
        fields = self._read(path) if self._layout.files.is_file(path) else None
        if fields is None:
            old = self._open_last_good(name)
            fields = _read_fields(old) if old else None
        if fields is None:
            document.report(workspace_rules.BROKEN_DEFINITION, place, path=show(text))
            return None
        return Definition(fields=fields, file=name)

    def texts(self, last_good: Callable[[str], str | None]) -> Iterator[tuple[str, str]]:
        """What to keep of each file, by its name: what it holds if that is right, else what
        `last_good` has.
        """
        for path, document in self._documents.items():
            is_right = self._fields[path] is not None
            text = document.content.decode() if is_right else last_good(document.file)
            if text is not None:
                yield document.file, text

    def _read(self, path: str) -> tuple[RecordField, ...] | None:
        if path not in self._documents:
            document = self._open_file(path)
            self._documents[path] = document
            self._fields[path] = _read_fields(document)
            document.shed()
        return self._fields[path]


def _read_fields(document: Document) -> tuple[RecordField, ...] | None:
    """The fields that a document defines; None if it has errors, which are reported in it."""
    if not document.complete:
        return None
    is_nested = isinstance(document.data.get(_WRAPPER), dict)
    prefix: Place = (_WRAPPER,) if is_nested else ()
    if is_nested:
        translator = Translator(document, NestedAssetFile, what=WHAT, hidden=_HIDDEN)
        outer, _ = validate(NestedAssetFile, document.data, translator)
        file = outer.asset if outer else None
    else:
        translator = Translator(document, AssetFile, what=WHAT, hidden=_HIDDEN)
        file, _ = validate(AssetFile, document.data, translator)
    for key in ("fields", "schema"):
        check_unique(document, "field", names_in(document, (*prefix, key)))
    if file is None or document.has_errors:
        return None
    key, columns = _choose(document, prefix, file)
    if document.has_errors:
        return None
    _warn_of_idle_keys(document, prefix, key)
    return tuple(
        RecordField(
            name=column.name,
            type=column.type,
            required=column.required,
            description=column.description,
        )
        for column in columns
    )


def _choose(document: Document, prefix: Place, file: AssetFile) -> tuple[str, list[AssetField]]:
    """The fields and the key under which they stand; a report where it is not one key."""
    if file.columns is not None and file.origin_columns is not None:
        document.report(
            field_rules.TWO_SPELLINGS, (*prefix, "schema"), on="key", old="schema", new="fields"
        )
    if file.columns is None and file.origin_columns is None:
        document.report(
            field_rules.MISSING_KEY,
            prefix,
            key="fields",
            where=WHAT,
            meaning=", the fields that records have",
        )
    key = "fields" if file.columns is not None else "schema"
    return key, file.columns or file.origin_columns or []


def _warn_of_idle_keys(document: Document, prefix: Place, key: str) -> None:
    """One warning a file, at the first such key."""
    top = cast("dict[str, object]", document.data[_WRAPPER] if prefix else document.data)
    columns = cast("list[dict[str, object]]", top[key])
    idle: dict[str, Place] = {name: (*prefix, name) for name in top if name in INACTIVE_ASSET_KEYS}
    for index, column in enumerate(columns):
        for name in column:
            if name in INACTIVE_FIELD_KEYS:
                idle.setdefault(name, (*prefix, key, index, name))
    if idle:
        keys = ", ".join(f"`{name}`" for name in idle)
        first = min(idle.values(), key=lambda place: document.locate(place, on="key"))
        document.report(field_rules.NOT_ACTED_ON, first, on="key", keys=keys)
