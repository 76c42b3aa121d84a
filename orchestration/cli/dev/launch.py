"""Brings `orchestrate dev` up in the order that is fastest, and down again."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.cli.dev import services
from orchestration.cli.dev.background import watch_runs, watch_workspace
from orchestration.cli.dev.plan import dagster_parts, prepare
from orchestration.cli.dev.reloader import load_failure, problem_events
from orchestration.cli.dev.screen import Event, Surroundings, render_screen
from orchestration.cli.dev.session import Session
from orchestration.cli.dev.signals import Stopped, StopRequests
from orchestration.domain.references import UnresolvedReferenceError, substitute
from orchestration.errors import MissingVariableError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from contextlib import AbstractContextManager

    from orchestration.cli.dev.plan import Plan
    from orchestration.domain.workspace import DevService


def launch(runner_file: Path, *, host: str, port: int, allow_remote: bool) -> None:
    """Runs until the user stops it; nothing of it is left then.

    Raises:
        OrchestrationError: something is in the way, or a process ended by itself.
    """
    with prepare("dev", runner_file, host=host, port=port, allow_remote=allow_remote) as plan:
        declared = plan.workspace.settings.dev_services
        helpers = [resolve_helper(service, os.environ) for service in declared]
        with _session(plan) as session:
            for helper in helpers:
                session.start(helper)
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
        environ=plan.child_environ(os.environ),
        requests=requests,
        echo=partial(click.echo, color=click.get_current_context().color),
    )
    try:
        yield session
    except Stopped:
        click.echo("\nStopping. Press Ctrl-C again to kill everything at once.")
    finally:
        left = session.stop()
    click.echo(f"Stopped; {', '.join(left)} had to be killed." if left else "Stopped.")


def _bring_up(session: Session, plan: Plan) -> None:
    with _spinner():
        for part in dagster_parts(plan):
            session.wait_until(part.may_start, what=f"what the {part.service.name} needs")
            session.start(part.service)
        session.wait_until(plan.ui.answers, what="the UI")
        session.wait_until(plan.ui.has_loaded, what="the code server")
    plan.write_record()


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
    reloader = plan.reloader()
    session.in_background(lambda stop: watch_workspace(reloader, plan.snapshot, stop))
    session.in_background(lambda stop: watch_runs(plan.ui, plan.url, stop))


def display_path(path: Path) -> str:
    """The path from the current folder where it lies inside it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
