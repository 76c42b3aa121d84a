"""The process around one order: stdin, events on stdout, errors on stderr, exit code."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from orchestration.connectors.errors import UnexpectedError
from orchestration.connectors.events import Emitter, Tally, complete_fields, emit_requests
from orchestration.connectors.options import secrets_of
from orchestration.connectors.order import parse_order
from orchestration.connectors.runtime import Run, carry_out, make_ends
from orchestration.domain.outcome import EXIT_FAILED, EXIT_PARTIAL, EXIT_SUCCEEDED
from orchestration.errors import OrchestrationError
from orchestration.runner.mask import Masker

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from orchestration.connectors.events import Written
    from orchestration.connectors.order import Order
    from orchestration.domain.events import JsonValue

_STATUS = {EXIT_SUCCEEDED: "success", EXIT_PARTIAL: "partial", EXIT_FAILED: "failure"}


def main() -> int:
    """Reads the order from stdin and carries it out; returns the exit code 0, 1 or 2."""
    debug = bool(os.environ.get("ORCHESTRATE_DEBUG"))
    if not debug:
        warnings.simplefilter("ignore")  # those of libraries, which the user cannot mend
    try:
        order = parse_order(sys.stdin.read())
    except OrchestrationError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_FAILED
    attempt = Attempt(order, sys.stdout, sys.stderr, debug=debug)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, attempt.stop)
    return attempt.run()


class Attempt:
    """One order under way. Whatever happens, its last event is `metrics_complete`."""

    def __init__(
        self,
        order: Order,
        stdout: TextIO,
        stderr: TextIO,
        *,
        debug: bool,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._order = order
        self._clock = clock
        self._stdout = stdout
        self._stderr = stderr
        self._debug = debug
        self._started = time.monotonic()
        self._tally = Tally()
        self._masker = Masker(())
        self._emitter = Emitter(self._write_line, self._mask)

    def run(self) -> int:
        """Carries the order out and returns the exit code."""
        written, code = None, EXIT_FAILED
        try:
            written = self._carry_out()
            partial = self._tally.invalid or self._tally.earlier
            code = EXIT_PARTIAL if partial else EXIT_SUCCEEDED
        except OrchestrationError as error:
            self._report(error)
        except Exception as error:  # noqa: BLE001 - the boundary of the process: it always reports
            summary = f"{type(error).__name__}: {error}".partition("\n")[0]
            self._report(_unexpected(summary, error))
        self._complete(code, written)
        return code

    def stop(self, number: int, _frame: FrameType | None) -> None:
        """Ends the process at once: what is not committed is as if it had never been."""
        self._stdout.write("\n")  # in case the signal came in the middle of a line
        self._complete(EXIT_FAILED, None)
        os._exit(128 + number)

    def _carry_out(self) -> Written | None:
        ends, options = make_ends(self._order)
        self._masker = Masker(secret for model in options for secret in secrets_of(model))
        return carry_out(
            Run(
                order=self._order,
                ends=ends,
                emitter=self._emitter,
                tally=self._tally,
                now=self._clock(),
            )
        )

    def _complete(self, code: int, written: Written | None) -> None:
        seconds = time.monotonic() - self._started
        status = _STATUS[code]
        fields = complete_fields(self._order, status, seconds, self._tally, written)
        self._emitter.emit("metrics_complete", fields)

    def _report(self, error: OrchestrationError) -> None:
        cause = error.__cause__
        kind = type(cause).__name__ if cause else type(error).__name__
        emit_requests(self._emitter, self._tally)
        self._emitter.emit(
            "metrics_error", {"error_type": kind, "code": error.code, "message": error.reason}
        )
        self._stderr.write(f"{self._masker.mask(str(error))}\n")
        if self._debug:
            self._stderr.write(self._masker.mask("".join(traceback.format_exception(error))))

    def _write_line(self, line: str) -> None:
        self._stdout.write(f"{line}\n")
        self._stdout.flush()

    def _mask(self, value: JsonValue) -> JsonValue:
        return self._masker.mask_json(value)


def _unexpected(summary: str, error: Exception) -> UnexpectedError:
    unexpected = UnexpectedError(summary, help="set ORCHESTRATE_DEBUG=1 for the whole story")
    unexpected.__cause__ = error
    return unexpected
