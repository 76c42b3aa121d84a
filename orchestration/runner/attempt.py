"""One attempt of one task, from its start to its result."""

from __future__ import annotations

import errno
import signal
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

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
    from orchestration.runner.handover import Handed, Handover
    from orchestration.runner.output import Stream
    from orchestration.runner.spec import ProcessSpec

_CHECKPOINT_ERRORS = (CheckpointStoreError, CheckpointDamagedError, CheckpointRefusedError)
_REPEATED: Final = (
    "the new checkpoint is not kept, since another attempt follows: it does the same work again"
)
_UNSURE: Final = """\
the new checkpoint is not kept: exit code 1 without a `metrics_complete` event may be an exception that was not caught
   help: write the event {"event_type": "metrics_complete", "status": "partial"} to stdout when all data is committed"""
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
    is_repeated: Callable[[AttemptResult], bool] = lambda _: False,
) -> AttemptResult:
    """Run the process once and say how it ended; nothing of it is left when this returns.

    `attempt` counts from 1. `on_output` gets each line of free text without its line break, and
    `on_event` each structured event of stdout, as soon as it is written, masked, in the calling
    thread. An event is not given to `on_output` too.

    Any exception raised in the calling thread meanwhile, by a callback or by a signal handler,
    stops the process tree within the grace period and goes on; a second one cuts that short.

    An attempt of a command that was handed its checkpoint leaves a new one only if it succeeded, and
    is a failure if that cannot be stored. After a partial success it leaves one if the command has
    said so itself, in a `metrics_complete` event, and `is_repeated`, which is asked then and gets
    what is returned afterwards, says that no other attempt follows: that would begin behind the
    records that this one has rejected.

    Raises:
        CommandNotFoundError: the program or the working directory does not exist or may not be
            used.
    """
    masker = Masker(spec.secrets)
    transcript = Transcript(masker, on_output=on_output, on_event=on_event)
    begun = _Begun(attempt=attempt, masker=masker, transcript=transcript)
    if spec.handover is None:
        return begun.end(_run_process(spec, begun))
    return _run_handed(spec, spec.handover, begun, is_repeated)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """An attempt under way."""

    attempt: int
    masker: Masker
    transcript: Transcript
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.monotonic)

    def end(self, facts: dict[str, Any]) -> AttemptResult:
        """What is known of it now that its process has ended, which these facts are about."""
        return AttemptResult(
            attempt=self.attempt,
            started_at=self.at,
            duration=timedelta(seconds=time.monotonic() - self.started),
            stderr_tail=self.transcript.stderr_tail,
            error_text=self.transcript.error_text,
            metrics=self.transcript.metrics,
            table=self.transcript.table,
            **facts,
        )


def _run_handed(
    spec: ProcessSpec,
    handover: Handover,
    begun: _Begun,
    is_repeated: Callable[[AttemptResult], bool],
) -> AttemptResult:
    facts: dict[str, Any] = {}
    try:
        with handover.begin() as handed:
            facts = _run_process(spec, begun)
            result = begun.end(facts)
            if result.landed:
                _keep_checkpoint(handed, begun.transcript, result, is_repeated)
            return result
    except _CHECKPOINT_ERRORS as error:
        fault = begun.masker.mask(error.reason)
        begun.transcript.add_error(fault)
        begun.transcript.note(f"error {error.code}: {fault}\n   help: {error.help}")
        return begun.end(
            facts | {"outcome": Outcome.FAILED, "exit_code": EXIT_FAILED, "fault": fault}
        )


def _run_process(spec: ProcessSpec, begun: _Begun) -> dict[str, Any]:
    end = run_guarded(spec, begun.transcript.feed)
    if isinstance(end, StartFailure):
        raise _start_error(spec, end, begun.masker)
    _tell_of_leftovers(end, begun.transcript)
    return _facts(end)


def _keep_checkpoint(
    handed: Handed,
    transcript: Transcript,
    result: AttemptResult,
    is_repeated: Callable[[AttemptResult], bool],
) -> None:
    """Store the new checkpoint, if there is one, unless data may be lost by it."""
    if result.outcome is Outcome.PARTIAL and handed.has_new:
        if not result.metrics:
            transcript.note(_UNSURE)
            return
        if is_repeated(result):
            transcript.note(_REPEATED)
            return
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
