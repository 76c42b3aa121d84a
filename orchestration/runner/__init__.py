"""One attempt of one task: spawn, stream, mask, classify, stop."""

from orchestration.runner.attempt import run_attempt
from orchestration.runner.lock import job_lock
from orchestration.runner.output import Stream
from orchestration.runner.preparation import prepare
from orchestration.runner.retries import run_with_retries
from orchestration.runner.spec import ProcessSpec
from orchestration.runner.stopping import Stopped, stop_on_signals

__all__ = [
    "ProcessSpec",
    "Stopped",
    "Stream",
    "job_lock",
    "prepare",
    "run_attempt",
    "run_with_retries",
    "stop_on_signals",
]
