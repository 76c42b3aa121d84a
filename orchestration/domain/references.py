"""References to variables in texts: `${NAME}`, `${NAME:-default}`, and `$${` for a literal `${`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_REFERENCE = re.compile(
    r"(?P<escaped>\$\$\{)"
    r"|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>(?:(?!\$\{)[^}])*))?\}"
    r"|(?P<malformed>\$\{)"
)


class ReferenceSyntaxError(ValueError):
    """A `${` that starts neither `${NAME}` nor `${NAME:-default}`.

    `position` is the index of its `$` in the text, from 0.
    """

    def __init__(self, position: int) -> None:
        super().__init__(
            f"the `${{` at character {position + 1} starts neither `${{NAME}}` nor "
            "`${NAME:-default}`; for a literal `${` write `$${`"
        )
        self.position = position


class UnresolvedReferenceError(LookupError):
    """A `${NAME}` without a default whose variable has no value."""

    def __init__(self, name: str) -> None:
        super().__init__(f"`${{{name}}}` has no value and no default")
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One reference of a text: `text[start:end]` is how it is written."""

    name: str
    default: str | None
    start: int
    end: int


def references(text: str) -> tuple[Reference, ...]:
    """The references of `text` in their order; escaped ones (`$${NAME}`) are none.

    >>> [reference.name for reference in references("${HOST}:${PORT:-5432}")]
    ['HOST', 'PORT']

    Raises:
        ReferenceSyntaxError: a `${` is malformed. Defaults hold no further references.
    """
    return tuple(
        Reference(
            name=match["name"], default=match["default"], start=match.start(), end=match.end()
        )
        for match in _scan(text)
        if not match["escaped"]
    )


def substitute(text: str, lookup: Callable[[str], str | None]) -> str:
    """`text` with each reference replaced by what `lookup` returns for its name.

    The default is taken where `lookup` returns None or an empty text, as a shell does.

    >>> substitute("$${x} is ${X:-1}", {}.get)
    '${x} is 1'

    Raises:
        ReferenceSyntaxError: a `${` is malformed.
        UnresolvedReferenceError: `lookup` returns None for a reference that has no default.
    """
    if "${" not in text:
        return text
    parts: list[str] = []
    end = 0
    for match in _scan(text):
        parts += (text[end : match.start()], _replacement(match, lookup))
        end = match.end()
    return "".join((*parts, text[end:]))


def _scan(text: str) -> Iterator[re.Match[str]]:
    for match in _REFERENCE.finditer(text):
        if match["malformed"]:
            raise ReferenceSyntaxError(match.start())
        yield match


def _replacement(match: re.Match[str], lookup: Callable[[str], str | None]) -> str:
    if match["escaped"]:
        return "${"
    value = lookup(match["name"])
    if not value and match["default"] is not None:
        return match["default"]
    if value is None:
        raise UnresolvedReferenceError(match["name"])
    return value
