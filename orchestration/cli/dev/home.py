"""The files of `dev` and `up`: their folders, `dagster.yaml`, who is running, and the lock."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestration import __version__
from orchestration.cli.dev.database import has_postgres_tables, has_sqlite_tables
from orchestration.cli.dev.services import render_workspace_file
from orchestration.cli.errors import InstanceRunningError, NoInstanceError
from orchestration.defs.instance import find_dagster_home, is_generated, render_instance

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import BinaryIO

    from orchestration.domain.workspace import Settings, Workspace

_LONGEST_SOCKET_PATH: Final = 100
"""A Unix socket's path has room for 104 bytes on macOS and 108 on Linux."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where things are below `state`, the state directory of the workspace.

    `dagster` is DAGSTER_HOME. `socket` is the code server's.
    """

    state: Path
    dagster: Path
    socket: Path

    @property
    def logs(self) -> Path:
        """The folder with one log file a process."""
        return logs_folder(self.state)

    @property
    def run_server(self) -> Path:
        """The socket of the run server."""
        return self.socket.with_name("run-server.sock")

    def remove_sockets(self) -> None:
        """Removes the sockets, and the folder that was made for them alone."""
        self.socket.unlink(missing_ok=True)
        self.run_server.unlink(missing_ok=True)
        if self.socket.parent != self.state:
            self.socket.parent.rmdir()

    @property
    def workspace_file(self) -> Path:
        """The `workspace.yaml` that UI and daemon are given."""
        return self.state / "workspace.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A running `orchestrate dev` or `up`, which `command` says, as other commands find it.

    `started` is in ISO 8601. The versions are those of what runs, not of what is installed by now.
    """

    command: str
    pid: int
    url: str
    socket: str
    started: str
    version: str = __version__
    python: str = platform.python_version()


def logs_folder(state: Path) -> Path:
    """Where the processes of `dev` and `up` with that state directory write their logs."""
    return state / "logs"


def find_home(state: Path, environ: Mapping[str, str]) -> Home:
    """The places of a workspace with that state directory; DAGSTER_HOME decides where it is set.

    Makes a folder where the sockets lie elsewhere; `remove_sockets` removes it.
    """
    socket = state / "code-server.sock"
    if len(os.fsencode(socket)) > _LONGEST_SOCKET_PATH:
        socket = Path(tempfile.mkdtemp(prefix="orchestrate-")) / socket.name
    return Home(
        state=state,
        dagster=find_dagster_home(state, environ),
        socket=socket,
    )


def write_files(home: Home, workspace: Workspace) -> str | None:
    """Writes what Dagster reads, and makes the folders.

    A `dagster.yaml` that somebody else wrote is kept; the text that is returned then says so.
    """
    home.logs.mkdir(parents=True, exist_ok=True)
    home.dagster.mkdir(parents=True, exist_ok=True)
    home.socket.unlink(missing_ok=True)
    home.workspace_file.write_text(render_workspace_file(home.socket), encoding="utf-8")
    path = home.dagster / "dagster.yaml"
    if path.exists() and not is_generated(path.read_text(encoding="utf-8")):
        return (
            f"{path} is your own and is used as it is; without the run_coordinator that"
            " `orchestrate` writes, the limits of runner.yaml do not hold"
        )
    text = render_instance(workspace, dagster_home=home.dagster, run_server=home.run_server)
    path.write_text(text, encoding="utf-8")
    return None


def has_tables(home: Home, settings: Settings, environ: Mapping[str, str]) -> bool:
    """Whether the instance's tables are there, those that are created last; processes that create
    them at the same time leave an instance that nobody can open any more. Databases of a
    `dagster.yaml` that is not ours are somebody else's care.

    Raises:
        DatabaseError: the database does not answer any more.
    """
    if not is_generated((home.dagster / "dagster.yaml").read_text(encoding="utf-8")):
        return True
    if settings.postgres_url is not None:
        return has_postgres_tables(settings.postgres_url, environ)
    return has_sqlite_tables(home.dagster)


@contextmanager
def claim(state: Path, command: str) -> Generator[None]:
    """Makes this process the one `dev` or `up` of the workspace for as long as the block runs.

    Raises:
        InstanceRunningError: another process is it already.
    """
    state.mkdir(parents=True, exist_ok=True)
    with _open_lock(state) as lock:
        if not _take(lock):
            other = _read_record(state)
            name = other.command if other else command
            where = f", at {other.url} in process {other.pid}" if other else ""
            raise InstanceRunningError(
                f"`orchestrate {name}` runs for this workspace already{where}",
                help="use that one, or stop it first; two schedulers would start every run twice",
            )
        try:
            yield
        finally:
            _record_file(state).unlink(missing_ok=True)


@contextmanager
def claim_dagster_home(folder: Path) -> Generator[None]:
    """Makes this process the one that runs the Dagster instance in the folder, as long as the block
    runs: DAGSTER_HOME may name the same for several workspaces.

    Raises:
        InstanceRunningError: another process is it already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "orchestrate.lock").open("ab") as lock:
        if not _take(lock):
            raise InstanceRunningError(
                f"`orchestrate` runs the Dagster instance in `{folder}` for another workspace already",
                help="set DAGSTER_HOME to another folder for this one, or not at all; two schedulers"
                " would take each other's runs",
            )
        yield


def write_record(state: Path, instance: Instance) -> None:
    """Lets other commands find this instance; `claim` removes it at its end."""
    _record_file(state).write_text(json.dumps(asdict(instance)), encoding="utf-8")


def find_instance(state: Path) -> Instance:
    """The `orchestrate dev` or `up` that runs for this state directory.

    Raises:
        NoInstanceError: none runs, or it is just starting; a record that was left behind by one
            that was killed does not count.
    """
    if state.is_dir():
        with _open_lock(state) as lock:
            running = None if _take(lock) else _read_record(state)
        if running:
            return running
    raise NoInstanceError(
        f"neither `orchestrate up` nor `dev` is running with the state directory `{state}`",
        help="start one of them; it reads the files as they are then",
    )


def _open_lock(state: Path) -> BinaryIO:
    return (state / "dev.lock").open("ab")


def _take(lock: BinaryIO) -> bool:
    """Whether the lock is ours now; the system gives it back when this process ends or closes it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _record_file(state: Path) -> Path:
    return state / "dev.json"


def _read_record(state: Path) -> Instance | None:
    try:
        return Instance(**json.loads(_record_file(state).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
