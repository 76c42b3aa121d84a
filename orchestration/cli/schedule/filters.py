"""Which schedules `--filter` lets through."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from orchestration.cli.schedule.errors import FilterError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestration.cli.schedule.survey import ScheduleState

Filter = Callable[["ScheduleState"], bool]

_FORMS: Final = (
    "write `name=GLOB`, `job=TENANT/NAME`, `tenant=NAME`, `tag:KEY=VALUE` or a part of the name;"
    " values may hold `*` and `?`, and several terms must all hold"
)


def parse_filters(expressions: Iterable[str]) -> Filter:
    """The filter that lets through what all terms of all expressions let through; terms stand
    apart by spaces.

    Raises:
        FilterError: a term is of no known form.
    """
    terms = [_parse(term, text) for text in expressions for term in text.split() or [""]]
    return lambda state: all(term(state) for term in terms)


def _parse(term: str, whole: str) -> Filter:
    if term.startswith("tag:"):
        return _parse_tag(term, whole)
    key, equals, pattern = term.partition("=")
    if not equals and term and ":" not in term:
        return lambda state: term in (state.name or "")
    match key:
        case "name" if pattern:
            return lambda state: fnmatchcase(state.name or "", pattern)
        case "job" if pattern:
            return lambda state: fnmatchcase(state.job or "", pattern)
        case "tenant" if pattern:
            return lambda state: fnmatchcase(state.tenant or "", pattern)
        case _:
            raise _refuse(term, whole)


def _parse_tag(term: str, whole: str) -> Filter:
    key, equals, pattern = term.removeprefix("tag:").partition("=")
    if not (key and equals and pattern):
        raise _refuse(term, whole)
    return lambda state: key in state.tags and fnmatchcase(state.tags[key], pattern)


def _refuse(term: str, whole: str) -> FilterError:
    within = f" in `{whole}`" if term != whole else ""
    return FilterError(f"`{term}`{within} is not a filter", help=_FORMS)
