"""Measures, prints the tables, and writes them into RESULTS.md, where the other sections stay.

Usage: run.py [loading] [commands] [work_process] [launching] [burst] [attempt] [validation]
"""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from timing import Section

NAMES = ("loading", "commands", "work_process", "launching", "burst", "attempt", "validation")
RESULTS = Path(__file__).parent / "RESULTS.md"
HEAD = """\
# Results

Written by `make bench`. Each section is measured in one run on one machine, all its sides in turn:
read the ratios, not the seconds. Nothing here is a test, and no test measures time.
"""


def main(names: list[str]) -> None:
    measured = {section.title: section for section in _measure(names or NAMES)}
    old = {} if not names else _sections(RESULTS.read_text())
    texts = old | {title: _render(section) for title, section in measured.items()}
    RESULTS.write_text("\n".join([HEAD, *texts.values()]))


def _measure(names: Iterable[str]) -> Iterator[Section]:
    for name in names:
        section = import_module(name).measure()
        print(_render(section), flush=True)
        yield section


def _sections(text: str) -> dict[str, str]:
    """The sections of RESULTS.md as they are, by title."""
    _, *parts = text.split("\n## ")
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}


def _machine() -> str:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: orchestration {version('orchestration')}, "
        f"dagster {version('dagster')}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB."
    )


def _render(section: Section) -> str:
    lines = [section.header, tuple("---" for _ in section.header), *section.rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## {section.title}\n\n{section.note}\n\n{_machine()}\n\n{table}\n"


if __name__ == "__main__":
    main(sys.argv[1:])
