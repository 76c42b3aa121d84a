"""Times whole processes, and turns samples into the figures of a table."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One benchmark in RESULTS.md: `rows` are the cells below `header`, `note` says how it is done."""

    title: str
    note: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]


def environ(**extra: str) -> dict[str, str]:
    """The environment of a user's shell, in which Python may keep its compiled files."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | extra


def time_process(argv: Sequence[str], *, folder: Path, env: Mapping[str, str]) -> float:
    """Seconds from the start to the end of one process, which must succeed."""
    start = perf_counter()
    subprocess.run(argv, cwd=folder, env=env, check=True, capture_output=True)
    return perf_counter() - start


def time_processes(
    commands: Mapping[str, Sequence[str]], *, folder: Path, runs: int, env: Mapping[str, str]
) -> dict[str, float]:
    """The median seconds of each command: all in turn, `runs` times, after one that does not count."""
    samples: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, argv in commands.items():
            seconds = time_process(argv, folder=folder, env=env)
            if turn:
                samples[name].append(seconds)
    return {name: median(values) for name, values in samples.items()}


def seconds(value: float) -> str:
    """A duration with the digits that mean something: `1.4 ms`, `183 ms`, `4.12 s`, `97.3 s`."""
    if value < 1:
        return f"{value * 1000:.1f} ms" if value < 0.01 else f"{value * 1000:.0f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def times(value: float, of: float) -> str:
    """How many times `of` the value is: `21.4 x`."""
    return f"{value / of:.2g} x" if value < 10 * of else f"{value / of:.0f} x"
