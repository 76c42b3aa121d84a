"""Where the checkpoints of command jobs are kept: a local folder, or an object store."""

from __future__ import annotations

import fcntl
import os
import sys
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import unquote, urlsplit

from orchestration.errors import CheckpointStoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from contextlib import AbstractContextManager

_NEW = ".new"
# What clients of object stores raise beside OSError. Only one that is loaded can have raised it.
_CLIENT_ERRORS = (
    ("botocore.exceptions", "BotoCoreError"),
    ("aiohttp", "ClientError"),
    ("azure.core.exceptions", "AzureError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("gcsfs.retry", "HttpError"),
    ("gcsfs.retry", "ChecksumError"),
)


class CheckpointStore(Protocol):
    """Files, in a folder for each job. A file is there as a whole or not at all, and never changes.

    Each method raises `CheckpointStoreError` if the store does not do what it is asked.
    """

    def sizes(self, job_id: str) -> Mapping[str, int]:
        """The names of the job's files with their sizes in bytes."""
        ...

    def read(self, job_id: str, name: str) -> bytes:
        """The content of a file."""
        ...

    def write(self, job_id: str, name: str, content: bytes) -> None:
        """Add a file; it survives the loss of power once this has returned."""
        ...

    def remove(self, job_id: str, name: str) -> None:
        """Remove a file, if it is there."""
        ...

    def exclusive(self, job_id: str) -> AbstractContextManager[None]:
        """Keep others from adding files to the job meanwhile, if the store knows how to."""
        ...


@dataclass(frozen=True, slots=True)
class LocalStore:
    """A folder of this machine. `rename` is how a file that has been written gets its name."""

    folder: Path
    rename: Callable[[Path, Path], object] = Path.rename

    def sizes(self, job_id: str) -> Mapping[str, int]:
        """See `CheckpointStore`."""
        found: dict[str, int] = {}
        with self._telling("read"):
            try:
                paths = list(self._folder(job_id).iterdir())
            except FileNotFoundError:
                return found
            for path in paths:
                with suppress(FileNotFoundError):  # another run has just removed it
                    found[path.name] = path.stat().st_size
        return found

    def read(self, job_id: str, name: str) -> bytes:
        """See `CheckpointStore`."""
        with self._telling("read"):
            return (self._folder(job_id) / name).read_bytes()

    def write(self, job_id: str, name: str, content: bytes) -> None:
        """See `CheckpointStore`. Call it within `exclusive`."""
        folder = self._folder(job_id)
        new = folder / f"{name}{_NEW}"
        with self._telling("written"):
            for left in folder.glob(f"*{_NEW}"):  # by a process that was killed meanwhile
                left.unlink()
            try:
                with open(new, "xb", opener=_open_private) as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                self.rename(new, folder / name)
                _sync(folder)
            finally:
                new.unlink(missing_ok=True)

    def remove(self, job_id: str, name: str) -> None:
        """See `CheckpointStore`."""
        with self._telling("written"):
            (self._folder(job_id) / name).unlink(missing_ok=True)

    @contextmanager
    def exclusive(self, job_id: str) -> Generator[None]:
        """See `CheckpointStore`: of all processes of this machine only one is in it."""
        with self._telling("written"):
            folder = self._folder(job_id)
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / ".lock").open("a")
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _folder(self, job_id: str) -> Path:
        return self.folder.joinpath(*job_id.split("/"))

    @contextmanager
    def _telling(self, done: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise CheckpointStoreError(
                f"the checkpoints in {self.folder} cannot be {done}: {_reason(error)}",
                help="see that the disk has space left, and that whoever runs jobs may use the folder",
            ) from error


class _FileSystem(Protocol):
    """What is used of a file system of fsspec."""

    def ls(self, path: str, detail: bool) -> list[dict[str, Any]]: ...  # noqa: FBT001
    def exists(self, path: str) -> bool: ...
    def cat_file(self, path: str) -> bytes: ...
    def pipe_file(self, path: str, value: bytes) -> None: ...
    def rm_file(self, path: str) -> None: ...
    def invalidate_cache(self) -> None: ...


@dataclass(frozen=True, slots=True)
class RemoteStore:
    """An object store, through universal-pathlib. Its credentials are those of this process."""

    url: str

    def sizes(self, job_id: str) -> Mapping[str, int]:
        """See `CheckpointStore`."""
        with self._opened("read") as (files, root):
            files.invalidate_cache()
            try:
                found = files.ls(f"{root}/{job_id}", detail=True)
            except FileNotFoundError:
                if not files.exists(bucket := root.split("/", maxsplit=1)[0]):
                    raise FileNotFoundError(f"there is no `{bucket}`") from None
                return {}
        return {
            str(entry["name"]).rpartition("/")[2]: int(entry["size"])
            for entry in found
            if entry["type"] == "file"
        }

    def read(self, job_id: str, name: str) -> bytes:
        """See `CheckpointStore`."""
        with self._opened("read") as (files, root):
            return files.cat_file(f"{root}/{job_id}/{name}")

    def write(self, job_id: str, name: str, content: bytes) -> None:
        """See `CheckpointStore`: one PUT, which a store does whole or not at all."""
        with self._opened("written") as (files, root):
            files.pipe_file(f"{root}/{job_id}/{name}", content)

    def remove(self, job_id: str, name: str) -> None:
        """See `CheckpointStore`."""
        with self._opened("written") as (files, root), suppress(FileNotFoundError):
            files.rm_file(f"{root}/{job_id}/{name}")

    def exclusive(self, job_id: str) -> AbstractContextManager[None]:
        """Nothing: object stores have no locks."""
        del job_id
        return nullcontext()

    @contextmanager
    def _opened(self, done: str) -> Generator[tuple[_FileSystem, str]]:
        try:
            from upath import UPath

            path = UPath(self.url)
            yield cast("_FileSystem", path.fs), path.path.rstrip("/")
        except ImportError as error:
            raise CheckpointStoreError(
                f"the checkpoints in {self.url} need a package that is not installed: {error}",
                help="install the extra `stores` for S3, `gcsfs` for Google Cloud Storage and `adlfs`"
                " for Azure",
            ) from error
        except _remote_errors() as error:
            raise CheckpointStoreError(
                f"the checkpoints in {self.url} cannot be {done}: {_reason(error)}",
                help="check `runner.checkpoints.url`, and the credentials of the store in the"
                " environment of whoever runs jobs",
            ) from error


def open_store(url: str | None, state_directory: Path) -> CheckpointStore:
    """The store at `url`, by default a folder of the state directory; nothing is touched yet."""
    if url is None:
        return LocalStore(state_directory / "checkpoints")
    parts = urlsplit(url)
    return LocalStore(Path(unquote(parts.path))) if parts.scheme == "file" else RemoteStore(url)


def _remote_errors() -> tuple[type[Exception], ...]:
    """What a failing store raises: `except` asks for it once something has been raised."""
    loaded = [
        (sys.modules[module], name) for module, name in _CLIENT_ERRORS if module in sys.modules
    ]
    return (OSError, ValueError, *(getattr(module, name) for module, name in loaded))


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.strip().rstrip(".") or type(error).__name__


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
