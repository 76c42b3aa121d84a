"""A real PostgreSQL server for the tests that need one."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

_DEBIAN = Path("/usr/lib/postgresql")
_SECONDS_TO_START = 30
# What these tests store may be lost with the machine; that makes the server several times faster.
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "timezone": "UTC",
}


def _programs() -> Path | None:
    """The folder of `initdb`, beside which all programs of a server lie; that on the PATH, else the
    newest of Debian, which keeps them elsewhere. None if there is none.
    """
    debian = sorted(_DEBIAN.glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    found = shutil.which("initdb", path=os.pathsep.join((os.environ["PATH"], *map(str, debian))))
    return Path(found).resolve().parent if found else None


def _unprivileged() -> str | None:
    """The user to run the server as, which root cannot do; None for the current one."""
    if os.geteuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


class PostgresServer:
    """A server of its own in `folder`, on a Unix socket there."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._user = _unprivileged()
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        if self._user:
            shutil.chown(folder, self._user)
        folder.chmod(0o755)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8")
        settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-k", self._folder, *settings],
                user=self._user,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _SECONDS_TO_START
        while self._ask("SELECT 1").returncode:
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it at once, without a word to its clients; nothing happens if it never started."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(timeout=30)

    def create_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        self._ask(f"CREATE DATABASE {name}").check_returncode()
        return f"postgresql://postgres@/{name}?host={self._folder}"

    def drop_database(self, url: str) -> None:
        """Take the database away, whoever is using it."""
        name = url.removeprefix("postgresql://postgres@/").partition("?")[0]
        self._ask(f"DROP DATABASE {name} WITH (FORCE)").check_returncode()

    def dump(self, url: str) -> bytes:
        """Everything that is in the database, as text."""
        dump = [self._programs / "pg_dump", "--inserts", url]
        return subprocess.run(
            dump, stdin=subprocess.DEVNULL, capture_output=True, check=True
        ).stdout

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _ask(self, statement: str) -> subprocess.CompletedProcess[bytes]:
        arguments = ("-X", "-q", "-h", self._folder, "-U", "postgres", "-d", "postgres")
        return subprocess.run(
            [self._programs / "psql", *arguments, "-c", statement],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            user=self._user,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for all tests of a session. Where `CI` is set, it must not be missing."""
    programs = _programs()
    if programs is None:
        reason = "no PostgreSQL server is installed (Debian: apt-get install postgresql)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    # Not below pytest's own folder, into which no other user can look.
    folder = Path(tempfile.mkdtemp(prefix="orchestrate-postgres-"))
    server = PostgresServer(programs, folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> Callable[[], str]:
    """Makes a new, empty database at each call, and returns its URL."""
    return postgres_server.create_database
