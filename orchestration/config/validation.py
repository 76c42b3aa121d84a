"""Validates the values of a document against the model of its file, as far as they go."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from orchestration.config.fields import FileModel

if TYPE_CHECKING:
    from orchestration.config.document import Place
    from orchestration.config.translate import Translator
    from orchestration.domain.events import JsonValue

Model = TypeVar("Model", bound=FileModel)
_MOST_ROUNDS = 5


def validate(
    model: type[Model], data: dict[str, JsonValue], translator: Translator
) -> tuple[Model | None, frozenset[str]]:
    """The file as far as it is right, and the keys at its top that hold errors.

    Errors are reported. What is wrong is left out of the result, so that the rest can be checked
    further and all problems of the file are seen at once. None where nothing is left.
    """
    faulty: set[str] = set()
    for _ in range(_MOST_ROUNDS):
        try:
            return model.model_validate(data), frozenset(faulty)
        except ValidationError as error:
            if not faulty:
                translator.report(error)
            found = (item["loc"] for item in error.errors(include_url=False))
            # Of a list all of it goes, and once: the second error in it is no missing key.
            places = dict.fromkeys(map(_keys, found))
            faulty.update(place[0] for place in places if place)
            for place in places:
                data = _without(data, place)
    return None, frozenset(faulty)


def _keys(place: Place) -> tuple[str, ...]:
    """The steps up to the first list."""
    return tuple(map(str, takewhile(lambda step: isinstance(step, str), place)))


def _without(data: dict[str, JsonValue], place: tuple[str, ...]) -> dict[str, JsonValue]:
    """A copy without the value at `place`, and for a missing key without the mapping that lacks it."""
    if not place:
        return {}
    key, rest = place[0], place[1:]
    inner = data.get(key)
    copy = {name: value for name, value in data.items() if name != key}
    if rest and isinstance(inner, dict) and rest[0] in inner:
        copy[key] = _without(inner, rest)
    return copy
