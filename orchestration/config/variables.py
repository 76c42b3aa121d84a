"""`${NAME}` in files: resolved while loading, or checked and left for the run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from orchestration.config import field_rules
from orchestration.config.document import Resolved
from orchestration.config.fields import FromReference
from orchestration.domain.references import (
    ReferenceSyntaxError,
    UnresolvedReferenceError,
    references,
    substitute,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestration.config.document import Document, Place
    from orchestration.domain.events import JsonValue

When = Literal["load", "run", "never"]
"""When the references of a text are resolved: now, in the process of the run, or not at all."""

_BEGINNING = re.compile(r"\$\{\W?\w{0,40}")
"""What is shown of a malformed reference: never its default, which may be a secret."""


_NOBODY: Mapping[str, str] = {}


def resolve_references(
    document: Document,
    when: Callable[[Place], When],
    environ: Mapping[str, str],
    owners: Mapping[str, str] = _NOBODY,
) -> dict[str, JsonValue]:
    """The values of the document with the references resolved that are resolved while loading.

    `when` decides by place. `owners` are the variables that are secrets, with their tenants: what
    is loaded is stored and shown, so they are not for it. Malformed references, secrets, and missing
    variables of those that are resolved now, are reported and left as they are.
    """
    if b"${" not in document.content:
        return document.data
    resolver = _Resolver(document, when, environ, owners)
    return {key: resolver.resolve(value, (key,)) for key, value in document.data.items()}


class _Resolver:
    def __init__(
        self,
        document: Document,
        when: Callable[[Place], When],
        environ: Mapping[str, str],
        owners: Mapping[str, str],
    ) -> None:
        self._document = document
        self._when = when
        self._environ = environ
        self._owners = owners

    def resolve(self, value: JsonValue, place: Place) -> JsonValue:
        match value:
            case dict():
                return {key: self.resolve(item, (*place, key)) for key, item in value.items()}
            case list():
                return [self.resolve(item, (*place, i)) for i, item in enumerate(value)]
            case str() if "${" in value:
                return self._resolve_text(value, place)
            case _:
                return value

    def _resolve_text(self, text: str, place: Place) -> str:
        when = self._when(place)
        try:
            if when == "load" and self._are_free(text, place):
                return FromReference(self._substitute(text, place))
            if when == "run":
                references(text)
        except ReferenceSyntaxError as error:
            shown = _BEGINNING.match(text, error.position)
            text_shown = shown[0] if shown else "${"
            self._document.report(field_rules.BAD_REFERENCE, place, text=text_shown)
        except UnresolvedReferenceError as error:
            self._document.report(field_rules.MISSING_VARIABLE, place, name=error.name)
        return text

    def _are_free(self, text: str, place: Place) -> bool:
        """Whether no reference of the text names a secret; reports those that do."""
        secrets = [ref.name for ref in references(text) if ref.name in self._owners]
        for name in secrets:
            tenant = self._owners[name]
            self._document.report(field_rules.SHOWN_SECRET, place, name=name, tenant=tenant)
        return not secrets

    def _substitute(self, text: str, place: Place) -> str:
        resolved = substitute(text, self._environ.get)
        if any(self._environ.get(reference.name) for reference in references(text)):
            self._document.resolved[place] = Resolved(written=text, value=resolved)
        return resolved
