"""What `dev` and `up` have in common: what is served where, and its processes in their order."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from orchestration.cli.common import read_served_workspace
from orchestration.cli.dev import files, network, services
from orchestration.cli.dev.database import check_database
from orchestration.cli.dev.home import (
    Instance,
    claim,
    claim_dagster_home,
    find_dagster_home,
    find_home,
    has_tables,
    write_files,
)
from orchestration.cli.dev.home import write_record as write_instance
from orchestration.cli.dev.reloader import Reloader
from orchestration.cli.dev.ui import Ui
from orchestration.cli.errors import DatabaseError
from orchestration.defs.code_server import CodeServer, CodeServerUnreachableError
from orchestration.defs.index import INDEX_NAME, refresh_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

    from orchestration.cli.dev.home import Home
    from orchestration.domain.workspace import Workspace

_ANSWER_TIMEOUT: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One `dev` or `up`, which `command` says: the workspace and its files as they were at the
    start, where things are, and what the user ought to know. `read_only` is about the UI.
    """

    command: str
    workspace: Workspace
    snapshot: files.Snapshot
    home: Home
    host: str
    port: int
    read_only: bool = False
    notes: tuple[str, ...] = ()

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

    def reloader(self) -> Reloader:
        """What brings changes of the files into force."""
        file = self.workspace.runner_file
        return Reloader(
            read=lambda: read_served_workspace(file),
            publish=lambda workspace: refresh_limits(workspace, self.index_file),
            server=self.server,
            workspace=self.workspace,
        )

    @property
    def index_file(self) -> Path:
        """The index that the code server writes."""
        return self.workspace.settings.state_directory / INDEX_NAME

    def child_environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment of every process: the given one, and where things are."""
        inherited = {key: environ[key] for key in environ if key != "DAGSTER_CODE_SERVER_PORT"}
        return inherited | {
            "DAGSTER_HOME": str(self.home.dagster),
            "ORCHESTRATE_RUNNER": str(self.workspace.runner_file),
            "PYTHONUNBUFFERED": "1",
        }

    def write_record(self) -> None:
        """Lets other commands find this instance."""
        socket = str(self.home.socket)
        write_instance(
            self.home.state,
            Instance(
                command=self.command,
                pid=os.getpid(),
                url=self.url,
                socket=socket,
                started=datetime.now(UTC).isoformat(),
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A process to start as soon as `may_start` says so. One that `is_defunct` for some time, once
    it has worked, is of no use although it lives.
    """

    service: services.Service
    may_start: Callable[[], bool] = lambda: True
    is_defunct: Callable[[], bool] = lambda: False


@contextmanager
def prepare(
    command: str,
    runner_file: Path,
    *,
    host: str,
    port: int,
    allow_remote: bool,
    read_only: bool = False,
) -> Generator[Plan]:
    """Claims workspace and port, and writes what Dagster reads; nothing has been started yet.

    Raises:
        OrchestrationError: something is in the way.
    """
    warning = network.check_host(host, allow_remote=allow_remote)
    workspace = read_served_workspace(runner_file)
    snapshot = files.take_snapshot(runner_file, workspace.watched)
    check_database(workspace.settings, os.environ)
    state = workspace.settings.state_directory
    with claim(state, command), claim_dagster_home(find_dagster_home(state, os.environ)):
        port = network.claim_port(host, port)
        home = find_home(state, os.environ)
        try:
            notes = (warning, write_files(home, workspace))
            yield Plan(
                command=command,
                workspace=workspace,
                snapshot=snapshot,
                home=home,
                host=host,
                port=port,
                read_only=read_only,
                notes=tuple(note for note in notes if note),
            )
        finally:
            home.remove_sockets()


def dagster_parts(plan: Plan) -> tuple[Part, ...]:
    """The processes of Dagster in the order of their start.

    UI and code server start side by side, except that in a new instance the UI creates the tables
    first. The daemon follows: one that does not find the code server looks again only after a
    minute, and the ticks until then are lost.
    """
    root, home = plan.workspace.root, plan.home
    paths = {"root": root, "workspace_file": home.workspace_file}
    return (
        Part(
            service=services.webserver(
                **paths, host=plan.host, port=plan.port, read_only=plan.read_only
            )
        ),
        Part(
            service=services.code_server(root=root, socket=home.socket),
            may_start=lambda: _is_prepared(plan),
            is_defunct=lambda: is_defunct(plan.server),
        ),
        Part(
            service=services.run_server(
                root=root, socket=home.run_server, index_file=plan.index_file
            ),
            may_start=lambda: _is_prepared(plan),
        ),
        Part(service=services.daemon(**paths), may_start=lambda: answers(plan.server)),
    )


def _is_prepared(plan: Plan) -> bool:
    """Whether the tables are there; not now, if the database does not answer for a while."""
    try:
        return has_tables(plan.home, plan.workspace.settings, os.environ)
    except DatabaseError:
        return False


def answers(server: CodeServer) -> bool:
    """Whether the code server serves what it has loaded, or says why it could not load it."""
    try:
        server.load_error(_ANSWER_TIMEOUT)
    except CodeServerUnreachableError:
        return False
    return True


def is_defunct(server: CodeServer) -> bool:
    """Whether the code server is neither able to answer nor busy."""
    try:
        server.check(_ANSWER_TIMEOUT)
    except CodeServerUnreachableError as error:
        return not error.is_busy
    return False
