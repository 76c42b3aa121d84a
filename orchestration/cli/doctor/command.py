"""`orchestrate doctor`: does what runs do what the files say."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, TypedDict

import click

from orchestration.cli.common import ExampleCommand, format_option, runner_file, runner_option

if TYPE_CHECKING:
    from orchestration.cli.doctor.finding import Finding

_COLOURS: Final = {"ok": "green", "warning": "yellow", "error": "red"}


class CheckRow(TypedDict):
    """One finding as scripts read it; keys and order are an interface. `status` is ok, warning or
    error, and `help` is empty where there is nothing to do.
    """

    check: str
    status: str
    found: str
    help: str


@click.command(
    "doctor",
    cls=ExampleCommand,
    examples=(
        "orchestrate doctor",
        "orchestrate doctor --format json",
    ),
)
@format_option("table", "json")
@runner_option
def command(style: str) -> int:
    """Check what is running against the files, and the machine.

    Asks the running `orchestrate up` or `dev`, and changes nothing. Exits with 0 when all is well,
    with 1 when there are warnings, and with 2 when something does not work or nothing is running.
    """
    from orchestration.cli.doctor.finding import EXIT_CODES
    from orchestration.cli.doctor.observe import observe
    from orchestration.cli.doctor.registry import examine
    from orchestration.cli.output import write_json, write_table

    findings = list(examine(observe(runner_file(), os.environ)))
    if style == "json":
        write_json([_row(name, finding) for name, finding in findings])
    else:
        header = ("check", "state", "found", "cure")
        cells = [_cells(name, finding) for name, finding in findings]
        write_table(cells, header=header, empty="nothing to check")
    return max(EXIT_CODES[finding.status] for _, finding in findings)


def _row(name: str, finding: Finding) -> CheckRow:
    return {
        "check": name,
        "status": str(finding.status),
        "found": finding.found,
        "help": finding.help,
    }


def _cells(name: str, finding: Finding) -> tuple[str, ...]:
    state = click.style(finding.status, fg=_COLOURS[finding.status])
    return (name, state, finding.found, finding.help or "-")
