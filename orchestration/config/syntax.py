"""What the YAML parser's complaints mean, in words that help to mend the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration.config import yaml_rules

if TYPE_CHECKING:
    from yaml.error import MarkedYAMLError

    from orchestration.config.document import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class _Explanation:
    """`at_start`: the place to show is where the construct began, not where parsing failed."""

    reason: str
    cure: str
    at_start: bool = False


_DEFAULT_CURE = "check the indentation, the colons and the quotes here and in the lines above"
_QUOTE = "put the whole text in quotes"
_UNCLOSED_LIST = _Explanation(
    reason="the `[` that opens here is not closed",
    cure="close it with `]`, and separate its values with commas",
    at_start=True,
)
_EXPLANATIONS = {
    "mapping values are not allowed in this context": _Explanation(
        reason="a colon stands where no key can be",
        cure="indent the keys of a mapping alike, and put texts that hold `: ` in quotes",
    ),
    "did not find expected key": _Explanation(
        reason="the keys of a mapping end here, and what follows is no key",
        cure="indent the keys of a mapping alike, and close quotes only at the end of a text",
    ),
    "could not find expected ':'": _Explanation(
        reason="a key without a colon",
        cure="write `key: value`, with a space after the colon",
        at_start=True,
    ),
    "did not find expected '-' indicator": _Explanation(
        reason="the entries of a list end here, and what follows is no entry",
        cure="indent the dashes of a list alike",
    ),
    "did not find expected ',' or ']'": _UNCLOSED_LIST,
    "did not find expected ',' or '}'": _Explanation(
        reason="the `{` that opens here is not closed",
        cure="close it with `}`, and separate its keys with commas",
        at_start=True,
    ),
    "found unexpected end of stream": _Explanation(
        reason="the quote that opens here is not closed",
        cure="close it, or write the other kind of quotes around a text that holds one",
        at_start=True,
    ),
    "did not find expected node content": _Explanation(
        reason="a value is missing, or a closing bracket",
        cure="write the value, and close each `[` and `{` that is open",
    ),
    "found unknown escape character": _Explanation(
        reason="an unknown escape after a backslash",
        cure="use single quotes around texts with backslashes",
    ),
    "block sequence entries are not allowed in this context": _Explanation(
        reason="a `- ` stands where no list can be",
        cure="begin the list in a line of its own, and put texts that start with `- ` in quotes",
    ),
    "did not find expected alphabetic or numeric character": _Explanation(
        reason="a text that starts with `*` or `&` needs quotes",
        cure=f'{_QUOTE}: `cron: "*/5 * * * *"`',
        at_start=True,
    ),
}
_TABS = (
    "found a tab character that violates indentation",
    "found a tab character where an indentation space is expected",
)
_GLUED_COLON = re.compile(r"\s*(?:- )?([A-Za-z_][\w-]*):[^\s/:]")
_BARE_REFERENCE = re.compile(r"[\[{].*[:,\[ ]\s*[^\"' ]*\$\{")


def find_glued_key(text: str) -> str | None:
    """The key of a text like `type:Promote` (T5), which is no mapping for want of a space."""
    match = _GLUED_COLON.match(text)
    return match[1] if match else None


def explain(document: Document, error: MarkedYAMLError) -> None:
    """Report the parser's error in `document`, with a cure."""
    explanation = _EXPLANATIONS.get(error.problem or "", _unknown(error))
    mark = error.problem_mark
    if explanation.at_start and error.context_mark:
        mark = error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    location = document.location_at(line, column)
    if (character := _character(document, line, column)) == "\t" or error.problem in _TABS:
        document.report_at(yaml_rules.TAB, location)
    elif error.problem == "found character that cannot start any token":
        reason = f"a text cannot start with `{character}`"
        document.report_at(yaml_rules.SYNTAX, location, reason=reason, cure=_QUOTE)
    else:
        hint = _hint(document, line)
        document.report_at(
            yaml_rules.SYNTAX, location, reason=explanation.reason, cure=explanation.cure, hint=hint
        )


def _unknown(error: MarkedYAMLError) -> _Explanation:
    return _Explanation(reason=error.problem or "it cannot be read", cure=_DEFAULT_CURE)


def _character(document: Document, line: int, column: int) -> str:
    text = document.lines[line] if line < len(document.lines) else ""
    return text[column : column + 1]


def _hint(document: Document, line: int) -> str:
    """What often leads here: the parser complains only one or two lines after the mistake."""
    for number in range(line, max(-1, line - 2), -1):
        text = document.lines[number] if number < len(document.lines) else ""
        if key := find_glued_key(text):  # T5
            return f"put a space after the colon of `{key}:` in line {number + 1}"
        if _BARE_REFERENCE.search(text):
            return "put `${NAME}` in quotes inside of `{ }` and `[ ]`"
    return ""
