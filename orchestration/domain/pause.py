"""Whether a schedule is paused, since its job keeps failing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from orchestration.domain.due import History
    from orchestration.domain.schedule import Schedule


def explain_pause(
    schedule: Schedule, history: History, resumed: Callable[[], datetime | None]
) -> str:
    """Why `max_consecutive_errors` has paused the schedule; empty if it has not. Runs that had ended
    by the time when it was `resumed` do not count.
    """
    most = schedule.max_consecutive_errors
    if most is None:
        return ""
    last = history.results(most)[:most]
    if len(last) < most or not all(run.failed for run in last):
        return ""
    since = resumed()
    if since is not None and last[-1].ended <= since:
        return ""
    several = "the last run" if most == 1 else f"each of the last {most} runs"
    return (
        f"paused by `max_consecutive_errors`: {several} of `{schedule.job_id}` failed; a success of"
        f" the job ends it, or `orchestrate schedule resume {schedule.name}`"
    )
