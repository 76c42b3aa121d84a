"""Brings `orchestrate up` up, keeps it up, and brings it down."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NoReturn

import click

from orchestration.cli.dev import services
from orchestration.cli.dev.background import Background, watch_logs, watch_runs, watch_workspace
from orchestration.cli.dev.plan import dagster_parts, prepare
from orchestration.cli.dev.processes import Process
from orchestration.cli.dev.reloader import describe_reload, load_failure, problem_events
from orchestration.cli.dev.screen import Event
from orchestration.cli.dev.signals import Stopped, StopRequests
from orchestration.cli.up.ending import Ending
from orchestration.cli.up.log import json_line, text_line
from orchestration.cli.up.supervisor import Supervisor
from orchestration.defs.instance import cancel_timeout

if TYPE_CHECKING:
    from pathlib import Path

    from orchestration.cli.dev.plan import Plan

_STEP_SECONDS: Final = 0.1
_CANCEL_SLACK: Final = timedelta(minutes=1)
"""What the process that cancels runs needs beside their time to end: its own start and its words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for on the command line; `patience` is None where runner.yaml decides."""

    host: str
    port: int
    allow_remote: bool
    read_only: bool
    patience: timedelta | None
    log_format: str


def launch(runner_file: Path, options: Options) -> None:
    """Runs until it is told to stop, and ends in order; nothing of it is left then.

    Raises:
        OrchestrationError: something is in the way, or a process ended too often.
    """
    with prepare(
        "up",
        runner_file,
        host=options.host,
        port=options.port,
        allow_remote=options.allow_remote,
        read_only=options.read_only,
    ) as plan:
        requests = StopRequests()
        requests.listen()
        up = _Up(plan, options, requests)
        try:
            with suppress(Stopped):
                up.run()
        finally:
            up.end()


class _Up:
    """One `orchestrate up`."""

    def __init__(self, plan: Plan, options: Options, requests: StopRequests) -> None:
        self._plan = plan
        self._requests = requests
        self._patience = options.patience
        self._line = json_line if options.log_format == "json" else text_line
        self._environ = plan.child_environ(os.environ)
        self._reloader = plan.reloader()
        self._supervisor = Supervisor(dagster_parts(plan), spawn=self._spawn, tell=self._tell)
        self._background = Background(self._tell)

    def run(self) -> NoReturn:
        """Keeps everything running; `Stopped` or an error says that it is over."""
        plan = self._plan
        for note in plan.notes:
            self._tell(Event(kind="note", text=note))
        while not (self._supervisor.is_complete and plan.ui.answers() and plan.ui.has_loaded()):
            self._step()
        plan.write_record()
        self._welcome()
        self._background.start(lambda stop: watch_workspace(self._reloader, plan.snapshot, stop))
        self._background.start(lambda stop: watch_runs(plan.ui, plan.url, stop))
        self._background.start(lambda stop: watch_logs(plan.home.logs, stop))
        while True:
            self._step()

    def end(self) -> None:
        """Ends everything in order. Without a daemon, no run has been started."""
        workspace = self._reloader.workspace
        before = self._requests.number
        has_runs = self._supervisor.has_started("daemon")
        root, last = workspace.root, cancel_timeout(workspace)
        left = Ending(
            runs=self._plan.ui.runs_under_way if has_runs else tuple,
            cancel=lambda: self._spawn(services.cancel_runs(root=root, patience=last)),
            cancel_within=last + _CANCEL_SLACK,
            patience=self._patience or workspace.settings.graceful_shutdown_timeout,
            hurried=lambda: self._requests.number - before,
            tell=self._tell,
        ).carry_out(self._supervisor)
        self._background.stop()
        rest = f"; {', '.join(left)} had to be killed" if left else ""
        self._tell(Event(kind="stopped", text=f"everything{rest}"))

    def _step(self) -> None:
        if self._requests.number:
            raise Stopped
        self._supervisor.step()
        self._background.check()
        time.sleep(_STEP_SECONDS)

    def _welcome(self) -> None:
        workspace = self._plan.workspace
        for event in problem_events(workspace.problems):
            self._tell(event)
        failure = load_failure(self._plan.server)
        if failure:
            self._tell(Event(kind="error", text=failure))
        self._tell(Event(kind="ready", text=f"{self._plan.url} {describe_reload(workspace)}"))

    def _spawn(self, service: services.Service) -> Process:
        log = self._plan.home.logs / f"{service.name}.log"
        return Process(service, log=log, environ=self._environ)

    def _tell(self, event: Event) -> None:
        click.echo(self._line(datetime.now().astimezone(), event), color=False)
