from dataclasses import replace

import click
import pytest

from orchestration.cli.dev.reloader import Reloader, problem_events
from orchestration.cli.dev.screen import Event
from orchestration.defs.code_server import CodeServerUnreachableError
from orchestration.domain.problem import Severity, format_problem


class FakeServer:
    def __init__(self, error=None, *, reachable=True):
        self.reloads = 0
        self.done = []
        self._error = error
        self._reachable = reachable

    def reload(self, _timeout):
        self.reloads += 1
        self.done.append("reload")
        if not self._reachable:
            raise CodeServerUnreachableError("connection refused")

    def load_error(self, _timeout):
        return self._error


@pytest.fixture
def healthy(workspace):
    return replace(workspace, problems=(), broken_jobs=())


def reloads(before, *after, server=None):
    """The events of each reload, uncoloured; `after` are the workspaces that are read."""
    rest = iter(after)
    server = server or FakeServer()
    reloader = Reloader(
        read=lambda: next(rest), publish=server.done.append, server=server, workspace=before
    )
    told = [reloader.reload() for _ in after]
    return [[Event(kind=e.kind, text=click.unstyle(e.text)) for e in events] for events in told]


def test_a_change_is_loaded_and_counted(healthy):
    server = FakeServer()

    assert reloads(healthy, healthy, server=server) == [
        [Event(kind="reloaded", text="3 jobs, 2 schedules, 2 tenants")]
    ]
    assert server.done == [healthy, "reload"]


def test_files_with_problems_are_loaded_too_and_each_problem_is_told_once(healthy, problem):
    first, second = problem(), problem("runner.yaml", Severity.WARNING)
    one, two = replace(healthy, problems=(first,)), replace(healthy, problems=(first, second))
    contents = "3 jobs, 2 schedules, 2 tenants"

    assert reloads(healthy, one, two, healthy) == [
        [
            Event(text=f"\n{format_problem(first)}\n"),
            Event(kind="reloaded", text=f"{contents}; 1 error in 1 file"),
        ],
        [
            Event(text=f"\n{format_problem(second)}\n"),
            Event(kind="reloaded", text=f"{contents}; 1 error and 1 warning in 2 files"),
        ],
        [Event(kind="reloaded", text=f"{contents}; no problems any more")],
    ]


def test_jobs_that_go_on_in_an_older_version_are_counted(healthy, job, problem):
    jobs = (job("acme", "orders", stale=True), job("globex", "orders"), job("initech", "orders"))
    stale = replace(healthy, jobs=jobs, problems=(problem(),))

    [events] = reloads(stale, stale)
    assert events[-1].text == (
        "3 jobs, 2 schedules, 3 tenants; 1 error in 1 file; 1 job is as it was before"
    )


def test_a_workspace_that_the_code_server_cannot_load_is_an_error(healthy):
    assert reloads(healthy, healthy, server=FakeServer("ImportError: no module `x`")) == [
        [
            Event(
                kind="error",
                text="the code server cannot load the workspace: ImportError: no module `x`",
            )
        ]
    ]


def test_a_code_server_that_does_not_answer_is_an_error(healthy):
    assert reloads(healthy, healthy, server=FakeServer(reachable=False)) == [
        [Event(kind="error", text="the code server does not answer: connection refused")]
    ]


def test_of_many_problems_the_first_ten_are_told(problem):
    events = problem_events([problem(f"jobs/a/{number:02}.yaml") for number in range(12)])

    assert len(events) == 11
    assert events[-1] == Event(text="2 more problems; `orchestrate validate` shows all\n")
