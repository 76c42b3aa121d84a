"""A problem: one finding about the user's files, with its place, cause and cure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Severity(StrEnum):
    """How bad a problem is: an error keeps its job from running, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Location:
    """A place in a file.

    `file` is relative to the folder of `runner.yaml` where it lies inside it, with `/` between
    its parts. `line` and `column` count from 1; `length` is the number of characters to underline.
    """

    file: str
    line: int = 1
    column: int = 1
    length: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding of `validate`.

    `code` is stable across releases (`ORC104`). `message` is one sentence with the value in
    backticks; `hint` is the short note under the caret ("did you mean ...?"), may be empty;
    `help` is the cure; `source_line` is the text of the line, for the excerpt, may be empty. Of a
    long line it is a part that begins with the column `source_column`.
    """

    code: str
    severity: Severity
    message: str
    help: str
    location: Location
    hint: str = ""
    source_line: str = ""
    source_column: int = 1

    @property
    def is_error(self) -> bool:
        """Whether the problem keeps what it is about from running."""
        return self.severity is Severity.ERROR


def sort_problems(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems in reading order: by file, line, column, then code; equal ones once."""
    unique = dict.fromkeys(problems)
    return tuple(sorted(unique, key=lambda p: (p.location, p.code, p.message)))


def format_problem(problem: Problem) -> str:
    """The problem as a person reads it: place and cause, the line with a caret, and the cure.

    Ends without a line break. Example::

        jobs/acme/orders.yaml:14:5: error ORC104: unknown key `max_retrys` in `retry_config`
           14 |     max_retrys: 3
              |     ^^^^^^^^^^ did you mean `max_retries`?
           help: allowed keys are ...
    """
    head = f"{problem.location}: {problem.severity} {problem.code}: {problem.message}"
    return "\n".join([head, *_excerpt(problem), f"   help: {problem.help}"])


def _excerpt(problem: Problem) -> list[str]:
    if not problem.source_line.strip():
        return [f"   note: {problem.hint}"] if problem.hint else []
    number = f"{problem.location.line:>5}"
    start = problem.location.column - problem.source_column
    room = max(1, len(problem.source_line) - start)
    caret = " " * start + "^" * max(1, min(problem.location.length, room))
    margin = " " * len(number)
    note = f" {problem.hint}" if problem.hint else ""
    return [f"{number} | {problem.source_line}", f"{margin} | {caret}{note}"]
