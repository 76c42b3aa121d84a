"""Measures, prints the tables, and with no arguments rewrites RESULTS.md.

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
    from timing import Section

NAMES = ("loading", "commands", "work_process", "launching", "burst", "attempt", "validation")
HEAD = """\
# Results

Written by `make bench`, which measures everything below in one run on one machine: read the ratios,
not the seconds. Nothing here is a test, and no test measures time.
"""


def main(names: list[str]) -> None:
    sections = [import_module(name).measure() for name in names or NAMES]
    text = "\n".join([HEAD, _machine(), *map(_render, sections)])
    print(text)
    if not names:
        (Path(__file__).parent / "RESULTS.md").write_text(text)


def _machine() -> str:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: orchestration {version('orchestration')}, "
        f"dagster {version('dagster')}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB.\n"
    )


def _render(section: Section) -> str:
    lines = [section.header, tuple("---" for _ in section.header), *section.rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## {section.title}\n\n{section.note}\n\n{table}\n"


if __name__ == "__main__":
    main(sys.argv[1:])
