"""Brings changed files into force: reads them, tells what is wrong, reloads the code server."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from orchestration.cli.dev.screen import Event
from orchestration.cli.output import count, styled_problem
from orchestration.cli.validate import contents, summarise
from orchestration.defs.code_server import CodeServerUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestration.domain.problem import Problem
    from orchestration.domain.workspace import Workspace

RELOAD_TIMEOUT: Final = timedelta(minutes=3)
"""Loading five thousand jobs on a busy machine takes seconds; this is for when something hangs."""
_ANSWER_TIMEOUT: Final = timedelta(seconds=30)
_MOST_PROBLEMS: Final = 10


class Server(Protocol):
    """A code server; `CodeServer` is one."""

    def reload(self, timeout: timedelta) -> None:
        """Loads the files anew."""

    def load_error(self, timeout: timedelta) -> str | None:
        """What went wrong in the last load."""


class Reloader:
    """Reloads one code server. `workspace` is what was read last, its problems have been told.

    `publish` is told of each workspace before the server, which takes its time, has loaded it.
    """

    def __init__(
        self,
        *,
        read: Callable[[], Workspace],
        publish: Callable[[Workspace], object],
        server: Server,
        workspace: Workspace,
    ) -> None:
        self._read = read
        self._publish = publish
        self._server = server
        self.workspace = workspace

    def reload(self) -> list[Event]:
        """Brings the files as they are now into force; what there is to tell about it.

        Files with problems are loaded too: what is right in them, and what was right before.
        """
        before, self.workspace = self.workspace, self._read()
        fresh = [p for p in self.workspace.problems if p not in before.problems]
        self._publish(self.workspace)
        failure = reload(self._server)
        if failure:
            return [*problem_events(fresh), Event(kind="error", text=failure)]
        text = describe_reload(self.workspace, had_problems=bool(before.problems))
        return [*problem_events(fresh), Event(kind="reloaded", text=text)]


def describe_reload(workspace: Workspace, *, had_problems: bool = False) -> str:
    """`9 jobs, 6 schedules, 3 tenants; 1 error in 1 file; 1 job is as it was before`."""
    parts = [contents(workspace)]
    if workspace.problems:
        parts.append(summarise(workspace.problems))
    elif had_problems:
        parts.append("no problems any more")
    stale = sum(job.stale for job in workspace.jobs)
    if stale:
        parts.append(
            f"{count(stale, 'job')} {'is as it was' if stale == 1 else 'are as they were'} before"
        )
    return "; ".join(parts)


def reload(server: Server) -> str | None:
    """Reloads the code server; None if it serves the files as they are now, else what is wrong."""
    try:
        server.reload(RELOAD_TIMEOUT)
    except CodeServerUnreachableError as error:
        return f"the code server does not answer: {error}"
    return load_failure(server)


def load_failure(server: Server) -> str | None:
    """None if the code server has loaded the workspace, else what is wrong."""
    try:
        failure = server.load_error(_ANSWER_TIMEOUT)
    except CodeServerUnreachableError as error:
        return f"the code server does not answer: {error}"
    return f"the code server cannot load the workspace: {failure}" if failure else None


def problem_events(problems: Sequence[Problem]) -> list[Event]:
    """The first problems in full, and how many more there are."""
    shown = problems[:_MOST_PROBLEMS]
    events = [Event(text=f"\n{styled_problem(p)}\n") for p in shown]
    if len(problems) > len(shown):
        rest = count(len(problems) - len(shown), "more problem")
        events.append(Event(text=f"{rest}; `orchestrate validate` shows all\n"))
    return events
