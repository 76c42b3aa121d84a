"""`orchestrate retry explain`: what would follow a failure, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from signal import Signals
from typing import TYPE_CHECKING, TypedDict

import click

from orchestration.cli.common import ExampleCommand, format_option, runner_file, runner_option
from orchestration.cli.output import count, write_json
from orchestration.cli.run import complete_job

if TYPE_CHECKING:
    from orchestration.domain.chain import Chain
    from orchestration.domain.job import Job
    from orchestration.domain.outcome import AttemptResult
    from orchestration.domain.retry import RetryDecision

_FAILED = 2
_LONGEST_TAIL = 65_536


class Explanation(TypedDict):
    """What follows, as scripts read it; keys and order are an interface. The delays are the
    shortest and the longest possible; both 0 without a retry.
    """

    retry: bool
    delay_seconds: list[float]
    disposition: str | None
    rule: str
    reason: str
    outcome: str


def _parse_signal(ctx: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    name = value.upper()
    try:
        return Signals[name if name.startswith("SIG") else f"SIG{name}"]
    except KeyError:
        raise click.BadParameter(
            f"`{value}` is no signal; write it like SIGKILL", ctx=ctx, param=parameter
        ) from None


@click.command(
    "explain",
    cls=ExampleCommand,
    examples=(
        "orchestrate retry explain acme/airports --exit-code 2 --stderr 'connection reset'",
        "orchestrate retry explain acme/airports --signal SIGKILL --attempt 3",
        "orchestrate retry explain jobs/acme/airports.yaml --timed-out --format json",
    ),
)
@click.argument("job", shell_complete=complete_job)
@click.option(
    "--exit-code",
    type=click.IntRange(0, 255),
    help="The code that the program returns. By default 2, which stands for failure.",
)
@click.option(
    "--signal", "signum", metavar="NAME", callback=_parse_signal, help="The signal that it dies of."
)
@click.option("--timed-out", is_flag=True, help="The attempt takes longer than it may.")
@click.option("--stderr", metavar="TEXT", default="", help="What it writes to stderr.")
@click.option(
    "--attempt",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Which attempt it is, from 1.",
)
@format_option("text", "json")
@runner_option
def command(
    *,
    job: str,
    exit_code: int | None,
    signum: int | None,
    timed_out: bool,
    stderr: str,
    attempt: int,
    style: str,
) -> None:
    """Show what would follow if an attempt of JOB ended so, and why.

    JOB is tenant/name, or the path of a job file. Starts nothing and counts nothing: whether the
    budget has a retry left and the breaker is closed is asked only when a real attempt has failed.
    The run is taken to have its whole run_timeout left, and to draw the shortest delay.
    """
    from orchestration.cli.lookup import find_job
    from orchestration.domain.chain import Chain

    if sum((exit_code is not None, signum is not None, timed_out)) > 1:
        raise click.UsageError("give one of --exit-code, --signal and --timed-out")
    workspace, found = find_job(runner_file(), job)
    result = _suppose(exit_code, signum, attempt, stderr, timed_out=timed_out)
    chain = Chain.of(found, workspace.settings, run_id="")
    shortest, _ = found.retry.delay_bounds(attempt)
    decision = chain.decide(result, elapsed=timedelta(0), delay=shortest)
    if style == "json":
        write_json(explain(found, result, decision))
    else:
        _write_text(chain, result, decision)


def explain(job: Job, result: AttemptResult, decision: RetryDecision) -> Explanation:
    """The decision without the chance in it."""
    bounds = job.retry.delay_bounds(result.attempt) if decision.retry else (timedelta(0),) * 2
    return {
        "retry": decision.retry,
        "delay_seconds": [bound.total_seconds() for bound in bounds],
        "disposition": decision.disposition and decision.disposition.value,
        "rule": decision.rule,
        "reason": decision.reason,
        "outcome": decision.outcome.value,
    }


def _suppose(
    exit_code: int | None, signum: int | None, attempt: int, stderr: str, *, timed_out: bool
) -> AttemptResult:
    """An attempt that ended so. One that timed out was stopped by us, whatever it returned."""
    from orchestration.domain.outcome import AttemptResult, Ending, classify

    if exit_code is None and signum is None and not timed_out:
        exit_code = _FAILED
    ending = Ending(exit_code=exit_code, signal=signum, timed_out=timed_out)
    return AttemptResult(
        outcome=classify(ending),
        attempt=attempt,
        started_at=datetime.now(UTC),
        duration=timedelta(0),
        exit_code=exit_code,
        signal=signum,
        stderr_tail=stderr[-_LONGEST_TAIL:],
    )


def _write_text(chain: Chain, result: AttemptResult, decision: RetryDecision) -> None:
    job = chain.job
    rows = {
        "retry": _describe_retry(chain, result, decision),
        "why": decision.reason,
        "rule": decision.rule,
        "disposition": decision.disposition.value if decision.disposition else "none",
        "outcome": decision.outcome.value + (", if it ended here" if decision.retry else ""),
    }
    if decision.retry and (asked := _describe_asked(job)):
        rows["asked then"] = asked
    click.echo(f"{job.id}, attempt {result.attempt}, {result.reason}")
    for name, text in rows.items():
        click.echo(f"  {name:<13}{text}")


def _describe_retry(chain: Chain, result: AttemptResult, decision: RetryDecision) -> str:
    from orchestration.domain.durations import format_duration

    if not decision.retry:
        return "no"
    policy = chain.job.retry
    shortest, longest = policy.delay_bounds(result.attempt)
    wait = format_duration(longest)
    if shortest != longest:
        wait = f"{format_duration(shortest)} to {wait}"
    where = ""
    if chain.leaves_run(shortest):
        where = ", as a new run"
    elif chain.leaves_run(longest):
        where = f", as a new run if it is more than {format_duration(chain.retry_in_run)}"
    return f"attempt {result.attempt + 1} of {policy.max_retries + 1} after {wait}{where}"


def _describe_asked(job: Job) -> str:
    shared = f"shared by {job.tenant}'s jobs with {job.connector}"
    parts: list[str] = []
    if budget := job.retry.budget:
        parts.append(f"the budget of {budget.describe()}")
    if job.breaker:
        parts.append(f"the breaker of {count(job.breaker.failures, 'failure')}")
    return f"{' and '.join(parts)}, {shared}" if parts else ""
