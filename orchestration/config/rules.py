"""The kinds of problems: each is described once, as a rule with a stable code.

The groups: ORC0xx the YAML itself, 1xx the fields of one file, 2xx several files, 3xx variables and
secrets, 4xx time, 5xx accepted but not acted on. `catalogue.py` has them all.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.domain.problem import Location, Problem, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of problem. `message` and `help` are templates for `str.format`.

    `title` and `cause` are for the reference; `cause` says why it is refused or warned about.
    `settles` says that nothing else about the same value is worth reporting.
    """

    code: str
    title: str
    cause: str
    message: str
    help: str
    severity: Severity = Severity.ERROR
    settles: bool = False

    def problem(
        self,
        location: Location,
        *,
        source_line: str = "",
        source_column: int = 1,
        hint: str = "",
        **values: object,
    ) -> Problem:
        """The problem of this kind at `location`, with `values` filled into the templates."""
        return Problem(
            code=self.code,
            severity=self.severity,
            message=self.message.format_map(values),
            help=self.help.format_map(values),
            location=location,
            hint=hint,
            source_line=source_line,
            source_column=source_column,
        )
