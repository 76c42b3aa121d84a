"""How an attempt ended, and what is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from signal import SIGINT, SIGTERM, Signals

from orchestration.domain.events import JsonValue, TableReport

EXIT_SUCCEEDED = 0
EXIT_PARTIAL = 1
EXIT_FAILED = 2
_INTERRUPTED = 128 + SIGINT
_TERMINATED = 128 + SIGTERM


class Outcome(StrEnum):
    """How an attempt ended, in the words of the glossary."""

    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a process ended: it returned `exit_code`, or died of `signal`; never both.

    `timed_out` and `cancelled` say that we stopped it, and why.
    """

    exit_code: int | None = None
    signal: int | None = None
    timed_out: bool = False
    cancelled: bool = False


def classify(ending: Ending) -> Outcome:
    """The outcome of a process that ended so (contract: 0 success, 1 partial, 2 failure).

    Being stopped by us decides first. A process that died of SIGINT or SIGTERM, or returned 130
    or 143, was stopped by somebody else: cancelled. Any other signal or code is a failure.
    """
    if ending.timed_out:
        return Outcome.TIMED_OUT
    if ending.cancelled or ending.signal in (SIGINT, SIGTERM):
        return Outcome.CANCELLED
    match ending.exit_code:
        case 0:
            return Outcome.SUCCEEDED
        case 1:
            return Outcome.PARTIAL
        case code if code in (_INTERRUPTED, _TERMINATED):
            return Outcome.CANCELLED
        case _:
            return Outcome.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """Everything known about one attempt after it ended. All texts are masked.

    `attempt` counts from 1. `stderr_tail` is at most the last 64 KiB of stderr. `error_text` is
    what the connector itself named as the error (its `metrics_error` events), may be empty.
    `peak_memory_bytes` is the largest sum of resident memory over the process tree that was seen.
    `cpu_seconds` is user and system time of the tree. `metrics` are the fields of the last
    `metrics_complete` event, empty if there was none. `fault` is what kept the runner from ending an
    attempt well that its command may have: the attempt counts as failed with exit code 2.
    """

    outcome: Outcome
    attempt: int
    started_at: datetime
    duration: timedelta
    exit_code: int | None = None
    signal: int | None = None
    stderr_tail: str = ""
    error_text: str = ""
    peak_memory_bytes: int | None = None
    cpu_seconds: float | None = None
    metrics: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    table: TableReport | None = None
    fault: str = ""

    @property
    def landed(self) -> bool:
        """Whether data was committed: succeeded or partial."""
        return self.outcome in (Outcome.SUCCEEDED, Outcome.PARTIAL)

    @property
    def reason(self) -> str:
        """How it ended, for a person: `exit code 2`, `killed by SIGKILL`, `timed out`."""
        if self.fault:
            return self.fault
        if self.outcome is Outcome.TIMED_OUT:
            return "timed out"
        if self.signal is not None:
            return f"killed by {signal_name(self.signal)}"
        return f"exit code {self.exit_code}"


def exit_code_of(result: AttemptResult) -> int:
    """The code with which `orchestrate run` exits: 0, 1, 2, 130 (SIGINT) or 143."""
    match result.outcome:
        case Outcome.SUCCEEDED:
            return EXIT_SUCCEEDED
        case Outcome.PARTIAL:
            return EXIT_PARTIAL
        case Outcome.FAILED | Outcome.TIMED_OUT:
            return EXIT_FAILED
        case Outcome.CANCELLED:
            interrupted = result.signal == SIGINT or result.exit_code == _INTERRUPTED
            return _INTERRUPTED if interrupted else _TERMINATED


def signal_name(number: int) -> str:
    """`SIGKILL` for 9; `signal 40` for one without a name."""
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"
