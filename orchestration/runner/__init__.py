"""One attempt of one task: spawn, stream, mask, classify, stop."""

from orchestration.runner.attempt import run_attempt
from orchestration.runner.lock import job_lock
from orchestration.runner.output import Stream
from orchestration.runner.preparation import prepare
from orchestration.runner.retries import (
    Ledger,
    consult,
    limit_timeout,
    run_judged,
    run_with_retries,
)
from orchestration.runner.spec import ProcessSpec
from orchestration.runner.stopping import Stopped, stop_on_signals

__all__ = [
    "Ledger",
    "ProcessSpec",
    "Stopped",
    "Stream",
    "consult",
    "job_lock",
    "limit_timeout",
    "prepare",
    "run_attempt",
    "run_judged",
    "run_with_retries",
    "stop_on_signals",
]
