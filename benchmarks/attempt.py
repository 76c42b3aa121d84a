"""What one attempt adds to the bare process: guard, streaming, masking, usage, classification."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from timing import Section, seconds, times

from orchestration.domain.outcome import Outcome
from orchestration.runner import ProcessSpec, run_attempt

if TYPE_CHECKING:
    from collections.abc import Callable

ATTEMPTS = 50


def measure() -> Section:
    ours, peer = _medians(_run_attempt, _run_subprocess)
    return Section(
        title="One attempt",
        note=(
            "`true` once through `run_attempt` and once through `subprocess.run`, in turn, median "
            f"of {ATTEMPTS} each. The difference is the whole price of the contract of an attempt."
        ),
        header=("", "time", "times `subprocess.run`"),
        rows=[
            ("`run_attempt`", seconds(ours), times(ours, peer)),
            ("`subprocess.run`", seconds(peer), times(peer, peer)),
            ("difference", seconds(ours - peer), ""),
        ],
    )


def _medians(*functions: Callable[[], None]) -> list[float]:
    samples: list[list[float]] = [[] for _ in functions]
    for _ in range(ATTEMPTS):
        for values, function in zip(samples, functions, strict=True):
            start = perf_counter()
            function()
            values.append(perf_counter() - start)
    return [median(values) for values in samples]


def _run_attempt() -> None:
    spec = ProcessSpec(
        argv=("true",),
        working_directory=Path("/"),
        environ={"PATH": "/usr/bin:/bin"},
        stdin=None,
        timeout=None,
        grace_period=timedelta(seconds=10),
        secrets=(),
    )
    result = run_attempt(spec, attempt=1, on_output=_ignore, on_event=_ignore)
    assert result.outcome is Outcome.SUCCEEDED, result


def _run_subprocess() -> None:
    subprocess.run(["true"], check=True, capture_output=True)


def _ignore(*_: object) -> None:
    pass
