"""One attempt of one task, from its start to its result."""

from __future__ import annotations

import errno
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from orchestration.domain.outcome import EXIT_FAILED, AttemptResult, Ending, Outcome, classify
from orchestration.errors import (
    CheckpointDamagedError,
    CheckpointRefusedError,
    CheckpointStoreError,
    CommandNotFoundError,
)
from orchestration.runner.link import GuardLost, GuardReport, StartFailure
from orchestration.runner.mask import Masker
from orchestration.runner.output import Transcript
from orchestration.runner.process import run_guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.domain.events import ConnectorEvent
    from orchestration.runner.handover import Handed
    from orchestration.runner.output import Stream
    from orchestration.runner.spec import ProcessSpec

_CHECKPOINT_ERRORS = (CheckpointStoreError, CheckpointDamagedError, CheckpointRefusedError)
_HELP_BY_ERRNO = {
    errno.ENOENT: "check its spelling, and for a script that of the program in its first line; a bare "
    "name is looked for on the `PATH` of the job, a relative path starts from the working directory",
    errno.EACCES: "make it executable: `chmod +x`",
    errno.ENOEXEC: "begin the script with the line `#!/bin/sh`, or name its interpreter in "
    "`command`",
    errno.E2BIG: "pass long values through a file or through standard input",
}


def run_attempt(
    spec: ProcessSpec,
    *,
    attempt: int,
    on_output: Callable[[Stream, str], None],
    on_event: Callable[[ConnectorEvent], None],
) -> AttemptResult:
    """Run the process once and say how it ended; nothing of it is left when this returns.

    `attempt` counts from 1. `on_output` gets each line of free text without its line break, and
    `on_event` each structured event of stdout, as soon as it is written, masked, in the calling
    thread. An event is not given to `on_output` too.

    Any exception raised in the calling thread meanwhile, by a callback or by a signal handler,
    stops the process tree within the grace period and goes on; a second one cuts that short.

    An attempt of a command that was handed its checkpoint leaves a new one only if it succeeded, at
    least in part, and is a failure if that cannot be stored.

    Raises:
        CommandNotFoundError: the program or the working directory does not exist or may not be
            used.
    """
    started_at, started = datetime.now(UTC), time.monotonic()
    masker = Masker(spec.secrets)
    transcript = Transcript(masker, on_output=on_output, on_event=on_event)
    facts = _run(spec, transcript, masker)
    return AttemptResult(
        attempt=attempt,
        started_at=started_at,
        duration=timedelta(seconds=time.monotonic() - started),
        stderr_tail=transcript.stderr_tail,
        error_text=transcript.error_text,
        metrics=transcript.metrics,
        table=transcript.table,
        **facts,
    )


def _run(spec: ProcessSpec, transcript: Transcript, masker: Masker) -> dict[str, Any]:
    if spec.handover is None:
        return _run_process(spec, transcript, masker)
    facts: dict[str, Any] = {}
    try:
        with spec.handover.begin() as handed:
            facts = _run_process(spec, transcript, masker)
            if facts["outcome"] in (Outcome.SUCCEEDED, Outcome.PARTIAL):
                _keep_checkpoint(handed, transcript)
    except _CHECKPOINT_ERRORS as error:
        fault = masker.mask(error.reason)
        transcript.add_error(fault)
        transcript.note(f"error {error.code}: {fault}\n   help: {error.help}")
        facts |= {"outcome": Outcome.FAILED, "exit_code": EXIT_FAILED, "fault": fault}
    return facts


def _run_process(spec: ProcessSpec, transcript: Transcript, masker: Masker) -> dict[str, Any]:
    end = run_guarded(spec, transcript.feed)
    if isinstance(end, StartFailure):
        raise _start_error(spec, end, masker)
    _tell_of_leftovers(end, transcript)
    return _facts(end)


def _keep_checkpoint(handed: Handed, transcript: Transcript) -> None:
    version = handed.keep()
    if version is not None:
        transcript.tell(
            "checkpoint_saved",
            {"version": version.number, "size_bytes": version.size, "digest": version.digest},
        )


def _facts(end: GuardReport | GuardLost) -> dict[str, Any]:
    if isinstance(end, GuardLost):  # the kernel has killed the command with its guard
        ending = Ending(signal=signal.SIGKILL)
        return {"outcome": classify(ending), "signal": ending.signal}
    ending = Ending(
        exit_code=end.exit_code,
        signal=end.signal,
        timed_out=end.stopped_because == "timeout",
        cancelled=end.stopped_because == "signal",
    )
    return {
        "outcome": classify(ending),
        "exit_code": end.exit_code,
        "signal": end.signal,
        "peak_memory_bytes": end.peak_memory_bytes,
        "cpu_seconds": round(end.cpu_seconds, 3),
    }


def _tell_of_leftovers(end: GuardReport | GuardLost, transcript: Transcript) -> None:
    if isinstance(end, GuardLost):
        text = f"the guard of the process ended without a report (status {end.returncode})"
        transcript.add_error(text)
        transcript.note(text)
        return
    if end.left_behind:
        transcript.note(f"ended {end.left_behind} process(es) that the command left running")
    if end.survivors:
        transcript.note(f"{end.survivors} process(es) of the command could not be ended")


def _start_error(spec: ProcessSpec, failure: StartFailure, masker: Masker) -> CommandNotFoundError:
    reason = failure.reason.lower()
    if failure.failed == "working_directory":
        return CommandNotFoundError(
            f"the working directory `{spec.working_directory}` cannot be used: {reason}",
            help="create the folder, or correct `working_directory` of the job",
        )
    return CommandNotFoundError(
        masker.mask(f"the program `{spec.argv[0]}` cannot be started: {reason}"),
        help=_HELP_BY_ERRNO.get(failure.errno or 0, "correct `command` of the job"),
    )
