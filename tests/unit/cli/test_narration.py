from datetime import UTC, datetime, timedelta

import click
import pytest

from orchestration.cli.narration import describe_end
from orchestration.domain.events import TableReport
from orchestration.domain.outcome import AttemptResult, Outcome


def end(outcome, **facts):
    result = AttemptResult(
        **{
            "outcome": outcome,
            "attempt": 1,
            "started_at": datetime(2026, 1, 1, tzinfo=UTC),
            "duration": timedelta(seconds=2.1),
            **facts,
        }
    )
    return click.unstyle(describe_end("acme/orders", result))


@pytest.mark.parametrize(
    ("outcome", "facts", "text"),
    [
        (Outcome.SUCCEEDED, {"exit_code": 0}, "acme/orders: succeeded in 2.1s"),
        (
            Outcome.SUCCEEDED,
            {"exit_code": 0, "table": TableReport(name="acme.orders", row_count=28257)},
            "acme/orders: succeeded in 2.1s, 28,257 rows in acme.orders",
        ),
        (
            Outcome.PARTIAL,
            {"exit_code": 1, "table": TableReport(name="acme.orders", row_count=1)},
            "acme/orders: partial success in 2.1s, exit code 1, 1 row in acme.orders",
        ),
        (
            Outcome.FAILED,
            {"signal": 9, "attempt": 3},
            "acme/orders: failed in 2.1s, killed by SIGKILL, 3 attempts",
        ),
        (Outcome.TIMED_OUT, {"signal": 15}, "acme/orders: timed out in 2.1s"),
    ],
)
def test_the_summary_says_outcome_duration_cause_and_rows(outcome, facts, text):
    assert end(outcome, **facts) == text
