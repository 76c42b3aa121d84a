"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How good it is: nothing to do, to be looked at, or broken."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


EXIT_CODES = {Status.OK: 0, Status.WARNING: 1, Status.ERROR: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `help` is the cure, and empty where there is nothing to cure."""

    status: Status
    found: str
    help: str = ""


def fine(found: str) -> Finding:
    """Nothing to do."""
    return Finding(status=Status.OK, found=found)


def warn(found: str, *, help: str) -> Finding:
    """Somebody should look at it."""
    return Finding(status=Status.WARNING, found=found, help=help)


def fail(found: str, *, help: str) -> Finding:
    """It does not work, or not as the files say."""
    return Finding(status=Status.ERROR, found=found, help=help)
