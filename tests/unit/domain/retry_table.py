"""The table of what follows a failed attempt, and each of its cases as a job that fails so."""

import json
import signal
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from orchestration.config import EMPTY_CATALOG, load_workspace
from orchestration.config.files import Memory
from orchestration.domain.outcome import AttemptResult, Ending, Outcome, classify
from orchestration.domain.retry import Disposition, RetryPolicy

_FILE = Path(__file__).with_name("retry_table.yaml")
_DISPOSITIONS = {
    "t": Disposition.TRANSIENT,
    "p": Disposition.PERMANENT,
    "d": Disposition.DISCARDABLE,
    "-": None,
}
_SCALED = ("initial_delay_seconds", "max_delay_seconds")
_DEFAULTS = {"initial_delay_seconds": 5, "max_delay_seconds": 300}
TIMEOUT_SECONDS = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How an attempt ends: with a code, or of a signal; `timed_out` with a code if asked to stop."""

    exit_code: int | None = None
    signum: int | None = None
    timed_out: bool = False
    says: str = ""

    @classmethod
    def parse(cls, text: str, says: str = "") -> "End":
        kind, _, code = text.partition(" ")
        match kind:
            case "exit":
                return cls(exit_code=int(code), says=says)
            case "timeout":
                stopped = {"exit_code": int(code)} if code else {"signum": signal.SIGTERM}
                return cls(timed_out=True, says=says, **stopped)
            case _:
                return cls(signum=signal.Signals[kind], says=says)

    @property
    def is_event(self) -> bool:
        return self.says.startswith("event:")

    @property
    def shell(self) -> str:
        """Commands of a shell that end so."""
        text = self.says.removeprefix("event:")
        event = json.dumps({"event_type": "metrics_error", "message": text})
        said = f"echo '{event}'; " if self.is_event else f"echo '{text}' >&2; "
        return (said if text else "") + self._ending

    @property
    def _ending(self) -> str:
        if self.timed_out and self.exit_code is not None:
            return f"trap 'exit {self.exit_code}' TERM; sleep 60 & wait"
        if self.timed_out:
            return "exec sleep 60"
        if self.exit_code is not None:
            return f"exit {self.exit_code}"
        return f"kill -{signal.Signals(self.signum).name.removeprefix('SIG')} $$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A row. The attempts before `attempt` end as `after` says, and the one after it succeeds.

    `delay` are the shortest and the longest wait in seconds, None where no other attempt follows.
    """

    number: int
    group: str
    retry_config: dict[str, Any]
    after: End
    end: End
    attempt: int
    delay: tuple[float, float] | None
    rule: str
    disposition: Disposition | None
    outcome: Outcome

    @property
    def name(self) -> str:
        """A name for a job, and for a test."""
        return f"case_{self.number:03}"

    @property
    def attempts(self) -> int:
        """How many attempts a run of the job makes."""
        return self.attempt + (self.delay is not None)

    @property
    def result(self) -> AttemptResult:
        """What is known of the attempt when it has ended."""
        end, text = self.end, self.end.says.removeprefix("event:")
        ending = Ending(exit_code=end.exit_code, signal=end.signum, timed_out=end.timed_out)
        return AttemptResult(
            outcome=classify(ending),
            attempt=self.attempt,
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
            duration=timedelta(seconds=3),
            exit_code=end.exit_code,
            signal=end.signum,
            stderr_tail="" if end.is_event else f"{text}\n",
            error_text=text if end.is_event else "",
        )

    def job_file(self, *, pace: float = 1.0) -> str:
        """A job file, in YAML, whose job fails so. All waits are `pace` times as long."""
        before, last = self.after.shell, self.end.shell
        script = (
            'echo "run $ORCHESTRATE_RUN_ID attempt $ORCHESTRATE_ATTEMPT"\n'
            f"if [ $ORCHESTRATE_ATTEMPT -lt {self.attempt} ]; then {before}; fi\n"
            f"if [ $ORCHESTRATE_ATTEMPT -gt {self.attempt} ]; then exit 0; fi\n"
            f"{last}\n"
        )
        config = {**self.retry_config}
        for key in _SCALED if pace != 1 else ():
            config[key] = config.get(key, _DEFAULTS[key]) * pace
        fields = {"command": ["sh", "-c", script], "grace_period": "5s", "retry_config": config}
        if self.end.timed_out:
            fields["timeout"] = f"{TIMEOUT_SECONDS}s"
        return json.dumps(fields)

    def policy(self, *, pace: float = 1.0) -> RetryPolicy:
        """The policy of the job, as it is read from its file."""
        files = {
            "runner.yaml": "runner: {}",
            f"jobs/acme/{self.name}.yaml": self.job_file(pace=pace),
        }
        workspace = load_workspace(
            Path("/workspace/runner.yaml"),
            environ={},
            catalog=EMPTY_CATALOG,
            files=Memory({f"/workspace/{name}": text.encode() for name, text in files.items()}),
        )
        [job] = workspace.jobs
        return job.retry

    def check(self, told: list[dict[str, Any]], *, seed: str, pace: float = 1.0) -> None:
        """Assert that a run of the job made the attempts and the waits of the table.

        `told` are the records `retry_attempt` and `job_finished` of the run, as they are logged.
        `seed` is the id of its first run and that of the job.
        """
        policy = self.policy(pace=pace)
        retries = [record for record in told if record["event_type"] == "retry_attempt"]
        [end] = [record for record in told if record["event_type"] == "job_finished"]
        waits = [policy.delay(n, seed=seed).total_seconds() for n in range(1, self.attempts)]
        assert [record["attempt"] for record in retries] == list(range(1, self.attempts))
        assert [record["delay_seconds"] for record in retries] == waits
        assert end["attempt"] == self.attempts
        assert end["delay_seconds"] is None
        if self.delay is None:
            self._check_record(end)
            return
        shortest, longest = (pace * bound for bound in self.delay)
        assert shortest - 1e-6 <= retries[-1]["delay_seconds"] <= longest + 1e-6
        self._check_record(retries[-1])
        assert end["outcome"] == "succeeded"

    def _check_record(self, record: dict[str, Any]) -> None:
        assert (record["rule"], record["disposition"], record["outcome"]) == (
            self.rule,
            self.disposition,
            self.outcome,
        )
        assert record["reason"]


def _read() -> list[Case]:
    numbers = count(1)
    return [
        _read_case(group, [cell.strip() for cell in line.split("|")], next(numbers))
        for group in yaml.safe_load(_FILE.read_text(encoding="utf-8"))
        for line in group["cases"].splitlines()[1:]
    ]


def _read_case(group: dict[str, Any], row: list[str], number: int) -> Case:
    ends, attempt, says, delay, rule, disposition, outcome = row
    after, _, said_before = group.get("after", "exit 2").partition(", ")
    shortest, _, longest = delay.partition("-")
    bounds = None if delay == "no" else (float(shortest), float(longest or shortest))
    return Case(
        number=number,
        group=group["group"],
        retry_config=group["retry_config"],
        after=End.parse(after, said_before),
        end=End.parse(ends, says),
        attempt=int(attempt),
        delay=bounds,
        rule=rule,
        disposition=_DISPOSITIONS[disposition],
        outcome=Outcome(outcome),
    )


CASES = _read()
