"""From the errors of a pydantic model to problems with their place, cause and cure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from orchestration.config import field_rules
from orchestration.config.document import MOST_ERRORS
from orchestration.config.fields import DURATION_ERROR
from orchestration.config.syntax import find_glued_key
from orchestration.config.words import (
    describe,
    find_nearest,
    last_key,
    list_words,
    name_place,
    show,
    suggest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pydantic import ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from orchestration.config.document import Document, Place
    from orchestration.domain.events import JsonValue

_TEXT = "a text"
_NUMBER = "a number"
_WHOLE = "a whole number"
_BOOLEAN = "`true` or `false`"
_LIST = "a list"
_MAPPING = "a mapping"
_EXPECTED = {
    "string_type": _TEXT,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "dict_type": _MAPPING,
    "mapping_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
}
_NOTHING: JsonValue = []
"""Told by its identity from all values of a file."""
_BOUNDS = {
    "greater_than": ("gt", "above {}"),
    "greater_than_equal": ("ge", "at least {}"),
    "less_than": ("lt", "below {}"),
    "less_than_equal": ("le", "at most {}"),
}


class Translator:
    """Reports the errors of `model` in a document.

    `prefix` is the place of the value that was validated; `what` names the file in messages.
    `hidden` are keys that are accepted and not suggested.
    """

    def __init__(
        self,
        document: Document,
        model: type[BaseModel],
        *,
        what: str,
        prefix: Place = (),
        hidden: Collection[str] = (),
    ) -> None:
        self._document = document
        self._model = model
        self._what = what
        self._prefix = prefix
        self._hidden = hidden
        self._seen: set[Place] = set()
        self._misspelt: set[Place] = set()

    def report(self, error: ValidationError, *, skip_references: bool = False) -> None:
        """Report all errors; `skip_references` passes over texts that hold `${NAME}`.

        Of several errors of one value (a union has one for each member) the first is reported; a
        missing key is not, where an unknown one looks like it.
        """
        for item in sorted(error.errors(include_url=False), key=lambda e: e["type"] == "missing"):
            if self._document.error_count > MOST_ERRORS:
                break
            if skip_references and isinstance(item["input"], str) and "${" in item["input"]:
                continue
            place = self._existing((*self._prefix, *item["loc"]))
            if item["type"] == "missing":
                self._report_missing(place, item)
            elif item["type"] == "extra_forbidden":
                self._report_unknown(place, item)
            elif place not in self._seen:
                self._seen.add(place)
                self._handler(item["type"])(place, item)

    def _handler(self, kind: str) -> Callable[[Place, ErrorDetails], None]:
        if kind in _EXPECTED:
            return self._report_type
        if kind in _BOUNDS:
            return self._report_bound
        return {
            "literal_error": self._report_choice,
            "union_tag_invalid": self._report_tag,
            "union_tag_not_found": self._report_no_tag,
            "string_too_short": self._report_empty,
            "too_short": self._report_empty,
            DURATION_ERROR: self._report_duration,
        }.get(kind, self._report_refused)

    def _existing(self, place: Place) -> Place:
        """The place without the steps that pydantic adds for unions and the like."""
        steps: list[str | int] = []
        node: JsonValue = self._document.data
        for step in place:
            inner = _take(node, step)
            if inner is not _NOTHING:
                node = inner
                steps.append(step)
        return tuple(steps)

    def _report_missing(self, place: Place, item: ErrorDetails) -> None:
        key = str(item["loc"][-1])
        if (*place, key) in self._misspelt:
            return
        model = self._model_at(item["loc"][:-1])
        field = _find_field(model, key) if model else None
        meaning = f", {_lower(field.description)}" if field and field.description else ""
        self._document.report(
            field_rules.MISSING_KEY, place, key=key, where=self._where(place), meaning=meaning
        )

    def _report_unknown(self, place: Place, item: ErrorDetails) -> None:
        model = self._model_at(item["loc"][:-1])
        keys = _keys(model) if model else set[str]()
        key = str(item["loc"][-1])
        self._misspelt.add((*place[:-1], find_nearest(key, keys) or ""))
        self._document.report(
            field_rules.UNKNOWN_KEY,
            place,
            on="key",
            hint=suggest(key, keys),
            key=show(key),
            where=self._where(place[:-1]),
            allowed=list_words(keys - set(self._hidden)),
        )

    def _report_type(self, place: Place, item: ErrorDetails) -> None:
        value, expected = item["input"], _EXPECTED[item["type"]]
        if value is None:
            self._document.report(field_rules.NO_VALUE, place, on="key", field=name_place(place))
            return
        self._document.report(
            field_rules.WRONG_TYPE,
            place,
            hint=_hint(value, expected),
            field=name_place(place),
            expected=expected,
            found=describe(self._document, place, value),
            cure=_cure(place, value, expected),
        )

    def _report_bound(self, place: Place, item: ErrorDetails) -> None:
        key, template = _BOUNDS[item["type"]]
        expected = template.format(f"{item.get('ctx', {})[key]:.15g}")
        self._report_value(place, item, expected, f"write a number that is {expected}")

    def _report_choice(self, place: Place, item: ErrorDetails) -> None:
        words = str(item.get("ctx", {})["expected"]).replace("'", "`").replace(" or ", ", ")
        choices = [word.strip(" `") for word in words.split(",")]
        self._report_value(
            place,
            item,
            f"one of {words}",
            "write one of these words",
            hint=suggest(str(item["input"]), choices),
        )

    def _report_tag(self, place: Place, item: ErrorDetails) -> None:
        """The key that tells the members of a union apart has a value that none of them has."""
        context = item.get("ctx", {})
        key, tags = str(context["discriminator"]).strip("'"), str(context["expected_tags"])
        words = tags.replace("'", "`").replace(", ", " or ")
        self._document.report(
            field_rules.BAD_VALUE,
            (*place, key),
            hint=suggest(str(context["tag"]), re.findall(r"'(\w+)'", tags)),
            field=key,
            found=describe(self._document, (*place, key), item["input"][key]),
            expected=words,
            cure="write one of these words",
        )

    def _report_no_tag(self, place: Place, item: ErrorDetails) -> None:
        key = str(item.get("ctx", {})["discriminator"]).strip("'")
        if not isinstance(item["input"], dict):
            self._report_type(place, item)
            return
        self._document.report(
            field_rules.MISSING_KEY, place, key=key, where=self._where(place), meaning=""
        )

    def _report_empty(self, place: Place, item: ErrorDetails) -> None:
        self._report_value(place, item, "filled", "write a value, or remove the key")

    def _report_value(
        self, place: Place, item: ErrorDetails, expected: str, cure: str, hint: str = ""
    ) -> None:
        self._document.report(
            field_rules.BAD_VALUE,
            place,
            hint=hint,
            field=name_place(place),
            found=describe(self._document, place, item["input"]),
            expected=expected,
            cure=cure,
        )

    def _report_duration(self, place: Place, item: ErrorDetails) -> None:
        value = item["input"]
        if value is None:
            self._document.report(field_rules.NO_VALUE, place, on="key", field=name_place(place))
            return
        is_number = isinstance(value, int) and not isinstance(value, bool)
        self._document.report(
            field_rules.BAD_DURATION,
            place,
            field=name_place(place),
            found=describe(self._document, place, value),
            reason=item["msg"],
            cure=f"write the unit: `{value}s`" if is_number else "write it like `90s` or `1h30m`",
        )

    def _report_refused(self, place: Place, item: ErrorDetails) -> None:
        reason = item["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        self._document.report(
            field_rules.BAD_OPTION, place, field=name_place(place), reason=_lower(show(reason))
        )

    def _where(self, place: Place) -> str:
        return f"`{name_place(place)}`" if place else self._what

    def _model_at(self, steps: Place) -> type[BaseModel] | None:
        """The model of the mapping at a place, as pydantic names places: with tags of unions."""
        models = [self._model]
        for step in steps:
            fields = (_find_field(model, step) for model in models)
            field = next((field for field in fields if field is not None), None)
            if field is not None:
                models = _find_models(field.annotation)
            elif tagged := [model for model in models if _has_tag(model, step)]:
                models = tagged
        return models[0] if models else None


def _take(node: JsonValue, step: str | int) -> JsonValue:
    if isinstance(node, dict) and isinstance(step, str):
        return node.get(step, _NOTHING)
    if isinstance(node, list) and isinstance(step, int) and step < len(node):
        return node[step]
    return _NOTHING


def _find_models(annotation: Any) -> list[type[BaseModel]]:
    """The models that a field of this type may hold, however deep inside."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _find_models(argument)]


def _has_tag(model: type[BaseModel], tag: str | int) -> bool:
    """Whether a field of the model is fixed to `tag`, which tells it from others of a union."""
    return any(tag in get_args(field.annotation) for field in model.model_fields.values())


def _find_field(model: type[BaseModel], key: str | int) -> FieldInfo | None:
    """The field that stands in a file as `key`."""
    fields = model.model_fields.items()
    return next((field for name, field in fields if (field.alias or name) == key), None)


def _keys(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _lower(text: str) -> str:
    """The first sentence, as part of another one."""
    sentence, _, _ = text.partition(". ")
    return sentence[:1].lower() + sentence[1:].removesuffix(".")


def _hint(value: object, expected: str) -> str:
    """T5: `type:Promote` is a text because a space is missing."""
    glued = find_glued_key(value) if expected == _MAPPING and isinstance(value, str) else None
    return f"put a space after the colon of `{glued}:`" if glued else ""


def _cure(place: Place, value: object, expected: str) -> str:
    key = last_key(place)
    if expected == _TEXT and isinstance(value, (int, float)):
        return "put it in quotes"
    if expected == _LIST and isinstance(value, str):
        items = value.split() if key == "command" else [value]
        return f"write it as a list: `[{show(', '.join(items), key)}]`"
    if expected == _MAPPING:
        return "write `key: value` lines below the key, indented"
    if expected in (_WHOLE, _NUMBER) and isinstance(value, str) and value.strip().isdecimal():
        return f"remove the quotes: `{show(value, key)}`"
    return f"write {expected}, without quotes" if expected == _BOOLEAN else f"write {expected}"
