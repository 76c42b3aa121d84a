"""How results are written: tables for people, JSON and YAML for scripts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypedDict

import click

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from orchestration.domain.problem import Problem

WIDE = 1000
"""Columns of a table that is not on a terminal: nothing is cut or wrapped in a file or pipe."""


class ProblemRow(TypedDict):
    """One problem as scripts read it; keys and order are an interface."""

    code: str
    severity: str
    message: str
    help: str
    file: str
    line: int
    column: int


def write_json(value: object) -> None:
    """Writes the value to stdout as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def write_yaml(value: object) -> None:
    """Writes the value to stdout as YAML, keys in their given order."""
    import yaml

    click.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), nl=False)


def write_table(rows: Sequence[Sequence[str]], *, header: Sequence[str], empty: str) -> None:
    """Writes rows under a header, as wide as they need on a pipe; or `empty` if there are none."""
    if not rows:
        click.echo(empty)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDE
    table = Table(*header, box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text.from_ansi(cell) for cell in row))
    console.print(table)


def problem_row(problem: Problem) -> ProblemRow:
    """The problem as scripts read it."""
    return {
        "code": problem.code,
        "severity": str(problem.severity),
        "message": problem.message,
        "help": problem.help,
        "file": problem.location.file,
        "line": problem.location.line,
        "column": problem.location.column,
    }


def styled_problem(problem: Problem) -> str:
    """The problem as a person reads it, severity and place in colour."""
    from orchestration.domain.problem import format_problem

    colour = "red" if problem.is_error else "yellow"
    place, tag = str(problem.location), f"{problem.severity} {problem.code}:"
    plain = format_problem(problem)
    rest = plain.removeprefix(f"{place}: {tag}")
    return f"{click.style(place, bold=True)}: {click.style(tag, fg=colour, bold=True)}{rest}"


def show_instant(instant: datetime) -> str:
    """`2026-06-01 02:30:00 CEST`, as people read it, in the zone that it has; scripts get ISO 8601."""
    return f"{instant:%Y-%m-%d %H:%M:%S %Z}"


def count(number: int, noun: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
