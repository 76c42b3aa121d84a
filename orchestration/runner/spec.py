"""What one attempt starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestration.runner.handover import Handover


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """A process to start, with everything resolved. Its `repr` shows no secrets.

    `environ` is the whole environment of the process. Without `stdin` it reads /dev/null.
    `handover` is how a command gets its checkpoint; None for a process that keeps its own.
    `timeout` is for the attempt; between SIGTERM and SIGKILL lies `grace_period`. The values of
    `secrets` are masked in everything that the process says.
    """

    argv: tuple[str, ...] = field(repr=False)
    working_directory: Path
    environ: Mapping[str, str] = field(repr=False)
    handover: Handover | None = None
    stdin: bytes | None = field(default=None, repr=False)
    timeout: timedelta | None = None
    grace_period: timedelta = timedelta(seconds=10)
    secrets: tuple[str, ...] = field(default=(), repr=False)
