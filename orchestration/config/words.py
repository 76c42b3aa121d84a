"""How values, types and places are named in messages."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from orchestration.config.secrets import HIDDEN, is_secret_key, mask_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestration.config.document import Document, Place
    from orchestration.domain.events import JsonValue

_LONGEST_VALUE = 60
_NOT_PRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def find_nearest(word: str, words: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The one of `words` that is most like `word`, if it is like it enough (0 to 1)."""
    nearest = difflib.get_close_matches(word, words, n=1, cutoff=cutoff)
    return nearest[0] if nearest else None


def suggest(word: str, words: Iterable[str]) -> str:
    """``did you mean `x`?`` for the nearest of `words`; empty where none is near."""
    nearest = find_nearest(word, words)
    return f"did you mean `{nearest}`?" if nearest else ""


def list_words(words: Iterable[str]) -> str:
    """`a, b, c` in order; `none` where there are none."""
    return ", ".join(sorted(words)) or "none"


def show(value: object, key: str = "") -> str:
    """The value as messages show it: on one line, not endless, and no secret."""
    if is_secret_key(key):
        return HIDDEN
    text = mask_line(_NOT_PRINTABLE.sub(" ", str(value)))
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def name_place(place: Place) -> str:
    """The last key of the way, with what follows it: `owners[0]`. A key such as `PASSWORD:x`, which
    lacks a space, is no place to show a secret.
    """
    start = next((i for i in range(len(place) - 1, -1, -1) if isinstance(place[i], str)), 0)
    return "".join(f"[{s}]" if isinstance(s, int) else mask_line(s) for s in place[start:])


def last_key(place: Place) -> str:
    """The last key on the way to a place."""
    return next((step for step in reversed(place) if isinstance(step, str)), "")


def describe(document: Document, place: Place, value: JsonValue) -> str:
    """What stands at a place: ``the number `12` ``, `a list`."""
    written = document.written(place)
    shown = show(value if written is None else written, last_key(place))
    match value:
        case None:
            return "empty"
        case bool():
            return f"the boolean `{shown}`"
        case int() | float():
            return f"the number `{shown}`"
        case str():
            return f"the text `{shown}`" if value else "an empty text"
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "a mapping"
