"""Brings `orchestrate dev` up in the order that is fastest, and down again."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import read_served_workspace
from orchestration.cli.dev import files, network, services
from orchestration.cli.dev.database import check_database
from orchestration.cli.dev.home import (
    Instance,
    claim,
    find_home,
    has_tables,
    write_files,
    write_record,
)
from orchestration.cli.dev.reloader import Reloader, load_failure, problem_events
from orchestration.cli.dev.screen import Event, Surroundings, render_screen
from orchestration.cli.dev.session import Session, Stopped, StopRequests, watch_runs
from orchestration.cli.dev.ui import Ui
from orchestration.defs.code_server import CodeServer
from orchestration.domain.references import UnresolvedReferenceError, substitute
from orchestration.errors import MissingVariableError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from contextlib import AbstractContextManager
    from threading import Event as ThreadEvent

    from orchestration.cli.dev.home import Home
    from orchestration.domain.workspace import DevService, Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One `orchestrate dev`: the workspace and its files as they were at the start, where things
    are, what to start, and what the user ought to know.
    """

    workspace: Workspace
    snapshot: files.Snapshot
    home: Home
    host: str
    port: int
    helpers: tuple[services.Service, ...]
    notes: tuple[str, ...]

    @property
    def url(self) -> str:
        """The address of the UI, as a person opens it."""
        return network.display_url(self.host, self.port)

    @property
    def ui(self) -> Ui:
        """The UI, as this process asks it."""
        return Ui(host=network.reachable(self.host), port=self.port)

    @property
    def server(self) -> CodeServer:
        """The code server, as this process asks it."""
        return CodeServer(socket=self.home.socket)


def launch(runner_file: Path, *, host: str, port: int, allow_remote: bool) -> None:
    """Runs until the user stops it; nothing of it is left then.

    Raises:
        OrchestrationError: something is in the way, or a process ended by itself.
    """
    warning = network.check_host(host, allow_remote=allow_remote)
    workspace = read_served_workspace(runner_file)
    snapshot = files.take_snapshot(runner_file, workspace.watched)
    check_database(workspace.settings, os.environ)
    home = find_home(workspace.settings.state_directory, os.environ)
    with claim(home.state):
        port = network.claim_port(host, port)
        notes = (warning, write_files(home, workspace))
        plan = Plan(
            workspace=workspace,
            snapshot=snapshot,
            home=home,
            host=host,
            port=port,
            helpers=tuple(resolve_helper(s, os.environ) for s in workspace.settings.dev_services),
            notes=tuple(note for note in notes if note),
        )
        with _session(plan) as session:
            _bring_up(session, plan)
            _show(session, plan)
            _keep_watch(session, plan)
            session.run()


def resolve_helper(service: DevService, environ: Mapping[str, str]) -> services.Service:
    """The helper process with the `${NAME}` of its command replaced.

    Raises:
        MissingVariableError: one of them has neither a value nor a default.
    """
    try:
        argv = tuple(substitute(word, environ.get) for word in service.command)
    except UnresolvedReferenceError as error:
        raise MissingVariableError(
            f"`${{{error.name}}}` in the command of the dev service `{service.name}` has no value",
            help=f"set the environment variable {error.name}, or write a default:"
            f" `${{{error.name}:-value}}`",
        ) from error
    return services.Service(
        name=service.name,
        argv=argv,
        working_directory=service.working_directory,
        vital=False,
    )


@contextmanager
def _session(plan: Plan) -> Generator[Session]:
    requests = StopRequests()
    requests.listen()
    session = Session(
        logs=plan.home.logs,
        environ=_child_environ(plan, os.environ),
        requests=requests,
        echo=partial(click.echo, color=click.get_current_context().color),
    )
    try:
        yield session
    except Stopped:
        click.echo("\nStopping. Press Ctrl-C again to kill everything at once.")
    finally:
        left = session.stop()
        plan.home.remove_socket()
    click.echo(f"Stopped; {', '.join(left)} had to be killed." if left else "Stopped.")


def _child_environ(plan: Plan, environ: Mapping[str, str]) -> dict[str, str]:
    inherited = {key: environ[key] for key in environ if key != "DAGSTER_CODE_SERVER_PORT"}
    return inherited | {
        "DAGSTER_HOME": str(plan.home.dagster),
        "ORCHESTRATE_RUNNER": str(plan.workspace.runner_file),
        "PYTHONUNBUFFERED": "1",
    }


def _bring_up(session: Session, plan: Plan) -> None:
    """UI and code server start side by side, except that in a new instance the UI creates the
    tables first. The daemon follows: one that does not find the code server looks again only
    after a minute, and the ticks until then are lost.
    """
    root, home = plan.workspace.root, plan.home
    paths = {"root": root, "workspace_file": home.workspace_file}
    session.start(services.webserver(**paths, host=plan.host, port=plan.port))
    for helper in plan.helpers:
        session.start(helper)
    with _spinner():
        session.wait_until(
            lambda: has_tables(home, plan.workspace.settings, os.environ),
            what="the Dagster instance",
        )
        session.start(services.code_server(root=root, socket=home.socket))
        session.wait_until(plan.ui.answers, what="the UI")
        session.wait_until(plan.ui.has_loaded, what="the code server")
        session.start(services.daemon(**paths))
    write_record(home.state, Instance(pid=os.getpid(), url=plan.url, socket=str(home.socket)))


def _spinner() -> AbstractContextManager[object]:
    if not sys.stdout.isatty():
        return nullcontext()
    from rich.console import Console

    return Console().status("Starting Dagster ...")


def _show(session: Session, plan: Plan) -> None:
    around = Surroundings(
        url=plan.url,
        state=display_path(plan.home.state),
        logs=display_path(plan.home.logs),
        processes=session.names,
        notes=plan.notes,
    )
    click.echo(render_screen(plan.workspace, around))
    session.tell(problem_events(plan.workspace.problems))
    failure = load_failure(plan.server)
    if failure:
        session.tell([Event(kind="error", text=failure)])


def _keep_watch(session: Session, plan: Plan) -> None:
    file = plan.workspace.runner_file
    reloader = Reloader(
        read=lambda: read_served_workspace(file), server=plan.server, workspace=plan.workspace
    )

    def look() -> files.Snapshot:
        return files.take_snapshot(file, reloader.workspace.watched)

    def reloads(stop: ThreadEvent) -> Iterator[Event]:
        for _ in files.watch(look, before=plan.snapshot, stop=stop):
            yield from reloader.reload()

    session.in_background(reloads)
    session.in_background(lambda stop: watch_runs(plan.ui, plan.url, stop))


def display_path(path: Path) -> str:
    """The path from the current folder where it lies inside it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
