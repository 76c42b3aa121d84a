"""What `orchestrate run` writes while a job runs: for a person, or as lines of JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import click

from orchestration.cli.output import count
from orchestration.domain.durations import format_duration
from orchestration.domain.outcome import Outcome
from orchestration.observability import LogRecord, json_log_line
from orchestration.runner import Stream

if TYPE_CHECKING:
    from orchestration.domain.events import ConnectorEvent
    from orchestration.domain.outcome import AttemptResult
    from orchestration.runner import Stopped

_COLOURS = {Outcome.SUCCEEDED: "green", Outcome.PARTIAL: "yellow", Outcome.CANCELLED: "yellow"}

_WORDS = {Outcome.PARTIAL: "partial success", Outcome.TIMED_OUT: "timed out"}


class Narrator(Protocol):
    """Tells what happens during a run."""

    def output(self, stream: Stream, line: str) -> None:
        """A line of free text from the job."""

    def event(self, event: ConnectorEvent) -> None:
        """A structured event of the job."""

    def log(self, record: LogRecord) -> None:
        """What the runner itself has to tell."""

    def end(self, job_id: str, result: AttemptResult) -> None:
        """The run is over."""

    def cancelled(self, job_id: str, stopped: Stopped) -> None:
        """The run is over, because this process was told to stop."""


class TextNarrator:
    """For people: output where the job wrote it, everything else on stderr."""

    def __init__(self) -> None:
        self._said = ""

    def output(self, stream: Stream, line: str) -> None:
        """The line as it is, on the stream it came from."""
        click.echo(line, err=stream is Stream.STDERR)

    def event(self, event: ConnectorEvent) -> None:
        """`metrics_writing table=acme.airports row_count=28257`."""
        plain = (f"{k}={v}" for k, v in event.fields.items() if not isinstance(v, list | dict))
        _say(click.style(" ".join((event.event_type, *plain)), dim=True))

    def log(self, record: LogRecord) -> None:
        """What follows a failed attempt, and news of breakers; the rest is told otherwise. What the
        line before has just said is no reason to say it again.
        """
        if text := describe_record(record):
            _say(text.removesuffix(f": {self._said}"))
            self._said = text

    def end(self, job_id: str, result: AttemptResult) -> None:
        """The summary line."""
        _say(describe_end(job_id, result))

    def cancelled(self, job_id: str, stopped: Stopped) -> None:
        """The summary line."""
        _say(f"{job_id}: {click.style('cancelled', fg='yellow', bold=True)}, {stopped}")


class JsonNarrator:
    """For machines: everything on stdout, a JSON object a line."""

    def output(self, stream: Stream, line: str) -> None:
        """An object with `event_type` `output`."""
        _write_json({"event_type": "output", "timestamp": _now(), "stream": stream, "text": line})

    def event(self, event: ConnectorEvent) -> None:
        """The event as the job wrote it, with the time."""
        _write_json({"event_type": event.event_type, "timestamp": _now(), **event.fields})

    def log(self, record: LogRecord) -> None:
        """`job_started`, `retry_attempt` and `job_finished`."""
        click.echo(json_log_line(record, datetime.now(UTC)))

    def end(self, job_id: str, result: AttemptResult) -> None:
        """Nothing: `job_finished` has told it."""

    def cancelled(self, job_id: str, stopped: Stopped) -> None:
        """The `job_finished` that the runner could not tell any more."""
        fields = {"job": job_id, "outcome": "cancelled", "signal": stopped.signum}
        self.log(LogRecord(event_type="job_finished", level="WARNING", fields=fields))


def describe_record(record: LogRecord) -> str:
    """What a person wants to know of it; empty for what they see anyway.

    That nothing is repeated is news only where a retry was asked for.
    """
    fields = record.fields
    match record.event_type:
        case "retry_attempt":
            delay = format_duration(timedelta(seconds=float(str(fields["delay_seconds"]))))
            outcome, ended_by = Outcome(str(fields["outcome"])), fields["ended_by"]
            cause = "" if outcome is Outcome.TIMED_OUT else f" ({ended_by})"
            return (
                f"attempt {fields['attempt']} {_WORDS.get(outcome, outcome)}{cause}; "
                f"again in {delay}, because {fields['reason']}"
            )
        case "job_finished":
            unasked = fields["rule"] == "max_retries" and fields["attempt"] == 1
            is_news = fields["disposition"] is not None and not unasked
            return f"no further attempt: {fields['reason']}" if is_news else ""
        case "breaker_opened":
            return f"{_breaker(record)} is {fields['breaker']}"
        case "breaker_closed":
            return f"{_breaker(record)} is closed again"
        case "ledger_unavailable":
            return str(fields["reason"])
        case _:
            return ""


def describe_end(job_id: str, result: AttemptResult) -> str:
    """`acme/airports: succeeded in 2.1s, 28,257 rows in acme.airports`, the outcome in colour."""
    colour = _COLOURS.get(result.outcome, "red")
    outcome = click.style(_WORDS.get(result.outcome, result.outcome), fg=colour, bold=True)
    facts = (
        f"{outcome} in {format_duration(result.duration)}",
        _ended_by(result),
        _rows(result),
        _attempts(result),
    )
    return f"{job_id}: {', '.join(fact for fact in facts if fact)}"


def _breaker(record: LogRecord) -> str:
    return f"the breaker of `{record.fields['connector']}` for tenant `{record.fields['tenant']}`"


def _ended_by(result: AttemptResult) -> str:
    return "" if result.outcome in (Outcome.SUCCEEDED, Outcome.TIMED_OUT) else result.reason


def _rows(result: AttemptResult) -> str:
    if result.table is None or result.table.row_count is None:
        return ""
    return f"{count(result.table.row_count, 'row')} in {result.table.name}"


def _attempts(result: AttemptResult) -> str:
    return f"{result.attempt} attempts" if result.attempt > 1 else ""


def _say(text: str) -> None:
    click.echo(text, err=True)


def _write_json(fields: dict[str, object]) -> None:
    click.echo(json.dumps(fields, ensure_ascii=False))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
