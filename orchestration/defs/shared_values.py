"""Values that all processes of a Dagster instance share, each changed by one of them at a time.

They lie in the key-value store of the instance, beside the cursors of Dagster's own daemons, as JSON
under a key. Whoever changes one holds the lock of its key meanwhile.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeVar, runtime_checkable

from orchestration.defs.instance import find_dagster_home
from orchestration.errors import LedgerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping
    from contextlib import AbstractContextManager

    from dagster import DagsterInstance

    from orchestration.domain.events import JsonValue
    from orchestration.domain.workspace import Workspace

    Connect = Callable[[], DagsterInstance]
    """Opens the instance, which is done when there is something to ask."""

_LOCK_FILE: Final = "ledger.lock"
_logger = logging.getLogger(__name__)


@runtime_checkable
class ExclusiveStorage(Protocol):
    """A storage that several machines share, with a lock of its own."""

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """Alone with that name among all processes of all machines, as long as the block runs."""
        ...


class SharedValue(Protocol):
    """What can be kept. Made without arguments it is the value of a key that was never written."""

    def __init__(self) -> None: ...

    def to_json(self) -> dict[str, JsonValue]:
        """The value that `from_json` reads."""
        ...

    @classmethod
    def from_json(cls, value: Mapping[str, JsonValue]) -> Self:
        """What `to_json` has made a value of.

        Raises:
            ValueError: it is none of these.
        """
        ...


_Value = TypeVar("_Value", bound=SharedValue)


class SharedValues:
    """The values of one instance.

    Each method raises `LedgerUnavailableError` where the database of the instance has gone away.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    def read(self, key: str, kind: type[_Value]) -> _Value:
        """The value of the key."""
        return self.read_all([key], kind)[key]

    def read_all(self, keys: Iterable[str], kind: type[_Value]) -> dict[str, _Value]:
        """The values of the keys, with one question to the database; with none for no keys."""
        wanted = set(keys)
        stored = self.read_texts(wanted)
        return {key: _parse(key, stored.get(key), kind) for key in wanted}

    def update(
        self, key: str, kind: type[_Value], change: Callable[[_Value], _Value | None]
    ) -> tuple[_Value, _Value | None]:
        """The value before and after a change that nobody else comes between; None changes nothing."""
        with _reachable(), alone(self._connect(), key):
            before = self.read(key, kind)
            after = change(before)
            if after is not None and after != before:
                self.write_text(key, json.dumps(after.to_json()))
        return before, after

    def read_texts(self, keys: Iterable[str]) -> Mapping[str, str]:
        """The texts of those of the keys that have one, as `read_all` asks for them."""
        wanted = set(keys)
        with _reachable():
            return self._connect().run_storage.get_cursor_values(wanted) if wanted else {}

    def write_text(self, key: str, text: str) -> None:
        """Put a text in place of whatever is under the key."""
        with _reachable():
            self._connect().run_storage.set_cursor_values({key: text})


def find_instance(workspace: Workspace, environ: Mapping[str, str] = os.environ) -> Connect | None:
    """Opens the workspace's instance, once, in a process outside of Dagster; None where nothing has
    ever been up.
    """
    home = find_dagster_home(workspace.settings.state_directory, environ)
    if not (home / "dagster.yaml").is_file():
        return None

    @cache
    def connect() -> DagsterInstance:
        from dagster import DagsterInstance

        return DagsterInstance.from_config(str(home))

    return connect


@contextmanager
def _reachable() -> Generator[None]:
    """Turns the errors of a database that has gone away into ours."""
    try:
        yield
    except _database_errors() as error:
        reason = str(error).partition("\n")[0]
        raise LedgerUnavailableError(
            f"breakers and retry budgets are not within reach: {reason}",
            help="see whether the database of the instance is up: `orchestrate doctor`",
        ) from error


def _database_errors() -> tuple[type[Exception], ...]:
    """What is raised when a database does not answer. Dagster's PostgreSQL library, an extra, has an
    error of its own, for when it has tried for long enough.
    """
    from sqlalchemy.exc import SQLAlchemyError

    postgres = sys.modules.get("dagster_postgres.utils")
    own: tuple[type[Exception], ...] = (postgres.DagsterPostgresException,) if postgres else ()
    return (SQLAlchemyError, OSError, *own)


@contextmanager
def alone(instance: DagsterInstance, name: str) -> Generator[None]:
    """Alone with that name among all processes that share the instance; of this machine alone, where
    the storage has no lock of its own.
    """
    storage = instance.run_storage
    if isinstance(storage, ExclusiveStorage):
        with storage.exclusive(name):
            yield
    else:
        if not is_shared_safely(instance):
            _warn_once()
        with Path(instance.root_directory, _LOCK_FILE).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def is_shared_safely(instance: DagsterInstance) -> bool:
    """Whether a value can be changed by one process alone: where several machines may share the
    storage, as a PostgreSQL that somebody's own `dagster.yaml` names, it needs a lock of its own.
    """
    from dagster._core.storage.runs import InMemoryRunStorage, SqliteRunStorage

    safe = (ExclusiveStorage, SqliteRunStorage, InMemoryRunStorage)
    return isinstance(instance.run_storage, safe)


@cache
def _warn_once() -> None:
    _logger.warning(
        "the storage of this Dagster instance has no lock that holds on all machines: if several"
        " share it, breakers and retry budgets are not exact"
    )


def _parse(key: str, text: str | None, kind: type[_Value]) -> _Value:
    """The value of a key. One that cannot be read counts as none: no job shall stand still by it."""
    if text is None:
        return kind()
    try:
        return kind.from_json(json.loads(text))
    except ValueError:
        _logger.warning("the value of `%s` cannot be read, and is begun anew: %s", key, text[:200])
        return kind()
