"""Whole processes of the command line, from the shell's point of view."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from timing import Section, environ, seconds, time_processes, times
from workspace import TENANTS, write_workspace

BIN = Path(sys.executable).parent
ORCHESTRATE = str(BIN / "orchestrate")
DAGSTER = (str(BIN / "dagster"), "--version")


def measure() -> Section:
    with TemporaryDirectory() as folder:
        write_workspace(Path(folder), 1_000)
        write_workspace(Path(folder) / "one", 1)
        medians = time_processes(
            {
                "`orchestrate --help`": (ORCHESTRATE, "--help"),
                "`orchestrate validate`, 1 job file": (
                    ORCHESTRATE,
                    "--runner",
                    "one/runner.yaml",
                    "validate",
                ),
                "`orchestrate validate`, 1,000 job files": (ORCHESTRATE, "validate"),
                "`dagster --version`": DAGSTER,
            },
            folder=Path(folder),
            runs=11,
            env=environ(),
        )
    peer = medians["`dagster --version`"]
    return Section(
        title="Commands",
        note=(
            f"Whole processes, in turn, median of 11. The 1,000 files belong to {TENANTS} tenants "
            "and each has a schedule."
        ),
        header=("command", "time", "times `dagster --version`"),
        rows=[(name, seconds(value), times(value, peer)) for name, value in medians.items()],
    )
