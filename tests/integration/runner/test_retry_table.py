"""The table of what follows a failed attempt, with real processes."""

import os
from pathlib import Path

import pytest
from retry_table import CASES, Case

from orchestration.config import EMPTY_CATALOG, load_workspace
from orchestration.domain.chain import Chain
from orchestration.domain.outcome import Outcome
from orchestration.observability import LogRecord
from orchestration.runner import prepare, run_with_retries

PACE = 0.001


def as_told(record: LogRecord) -> dict:
    return {"event_type": record.event_type, **record.fields}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.group}-{case.number}")
def test_real_processes_are_followed_by_what_the_table_says(tmp_path: Path, case: Case):
    runner_file = tmp_path / "runner.yaml"
    runner_file.write_text("runner: {}\n")
    file = tmp_path / f"jobs/acme/{case.name}.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(case.job_file(pace=PACE))
    environ = {"PATH": os.environ["PATH"]}
    workspace = load_workspace(runner_file, environ=environ, catalog=EMPTY_CATALOG)
    [job] = workspace.jobs
    log: list[LogRecord] = []
    slept: list[float] = []

    def prepare_attempt(attempt):
        return prepare(job, workspace=workspace, environ=environ, run_id="run-1", attempt=attempt)

    result = run_with_retries(
        Chain.of(job, workspace.settings, "run-1"),
        prepare_attempt,
        on_output=lambda *_: None,
        on_event=lambda _: None,
        on_log=log.append,
        sleep=slept.append,
    )

    told = [as_told(record) for record in log]
    case.check(told[1:], seed=f"run-1/{job.id}", pace=PACE)
    assert slept == [record["delay_seconds"] for record in told[1:-1]]
    assert result.attempt == case.attempts
    assert result.outcome is (Outcome.SUCCEEDED if case.delay else case.outcome)
