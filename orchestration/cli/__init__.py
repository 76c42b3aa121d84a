"""The command `orchestrate`: one module a command group; the only place that prints and exits."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Runs `orchestrate` with the arguments of the process, and exits with its code."""
    from orchestration.cli.boundary import run_cli

    sys.exit(run_cli(sys.argv[1:]))
