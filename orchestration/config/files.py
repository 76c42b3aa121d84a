"""The files of a workspace, and the rule that paths stay inside of it."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_BYTES = 16 * 1024 * 1024
CONTAINER_ROOT = "/app"
"""Where the container image keeps the workspace; elsewhere it stands for the workspace's root."""
JOBS_FOLDER = "jobs"
DATA_FOLDER = "data"
"""Folders of this name below `jobs/` hold data, not jobs."""


@dataclass(frozen=True, slots=True)
class Found:
    """A YAML file below a folder; `linked` says that a symbolic link is on the way to it."""

    path: str
    linked: bool = False


class Files(Protocol):
    """Where files come from: the disk, or the memory of a test. All paths are absolute."""

    def read(self, path: str) -> bytes:
        """The content of a file. Raises OSError."""
        ...

    def find(self, folder: str) -> list[Found]:
        """The YAML files below a folder, sorted by path; none if there is no such folder."""
        ...

    def is_file(self, path: str) -> bool:
        """Whether a file is there."""
        ...

    def is_folder(self, path: str) -> bool:
        """Whether a folder is there."""
        ...

    def real(self, path: str) -> str:
        """The path without symbolic links."""
        ...


class Disk:
    """The files of this machine."""

    def read(self, path: str) -> bytes:
        """The content of a file, cut where it gets too large to be parsed.

        A pipe among the files is refused, and does not make the loader wait for its writer.
        """
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            return os.read(handle, min(status.st_size, MAX_BYTES) + 1)
        finally:
            os.close(handle)

    def find(self, folder: str) -> list[Found]:
        """The YAML files below a folder, in the order of their paths; links are followed once."""
        return sorted(self._walk(folder, linked=False, above=frozenset()), key=lambda f: f.path)

    def is_file(self, path: str) -> bool:
        """Whether a file is there."""
        return os.path.isfile(path)  # noqa: PTH113 - paths are texts in this package

    def is_folder(self, path: str) -> bool:
        """Whether a folder is there."""
        return os.path.isdir(path)  # noqa: PTH112 - paths are texts in this package

    def real(self, path: str) -> str:
        """The path without symbolic links."""
        return os.path.realpath(path)

    def _walk(self, folder: str, *, linked: bool, above: frozenset[str]) -> Iterator[Found]:
        """`above` are the real paths of linked folders that led here: links may form circles."""
        try:
            entries = list(os.scandir(folder))
        except OSError:
            return
        for entry in entries:
            through_link = linked or entry.is_symlink()
            if not entry.is_dir():
                if is_job_file(entry.name):
                    yield Found(entry.path, through_link)
            elif is_job_folder(entry.name):
                here = self._enter(entry, above)
                if here is not None:
                    yield from self._walk(entry.path, linked=through_link, above=here)

    def _enter(self, entry: os.DirEntry[str], above: frozenset[str]) -> frozenset[str] | None:
        if not entry.is_symlink():
            return above
        real = os.path.realpath(entry.path)
        parent = os.path.realpath(os.path.dirname(entry.path))  # noqa: PTH120 - as above
        return None if real in above or _is_below(parent, real) else above | {real}


class Memory:
    """Files that are held in memory: for tests, and for texts that are not saved yet.

    `files` are contents by absolute path; `links` are symbolic links to files, by path.
    """

    def __init__(self, files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> None:
        self._files = files
        self._links = links or {}

    def read(self, path: str) -> bytes:
        """The content of a file."""
        try:
            return self._files[self.real(path)]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None

    def find(self, folder: str) -> list[Found]:
        """The YAML files below a folder, in the order of their paths."""
        start = len(folder) + 1
        return [
            Found(path, path in self._links)
            for path in sorted((*self._files, *self._links))
            if _is_below(path, folder) and _is_job_path(path[start:].split("/"))
        ]

    def is_file(self, path: str) -> bool:
        """Whether a file is there; a link leads to one."""
        return path in self._files or path in self._links

    def is_folder(self, path: str) -> bool:
        """Whether a file lies below."""
        return any(_is_below(file, path) and file != path for file in self._files)

    def real(self, path: str) -> str:
        """Where a link leads."""
        return self._links.get(path, path)


@dataclass(frozen=True)
class Layout:
    """The paths of one workspace. `root` is absolute."""

    root: str
    files: Files

    def resolve(self, text: str) -> str:
        """The absolute path that a path in a file means; `/app/...` falls back to the root."""
        if text.startswith(f"{CONTAINER_ROOT}/") and not self._exists(text):
            text = text.removeprefix(f"{CONTAINER_ROOT}/")
        return os.path.normpath(os.path.join(self.root, text))  # noqa: PTH118 - as above

    def is_inside(self, path: str, *, linked: bool = True) -> bool:
        """Whether an absolute path stays in the workspace, also without symbolic links.

        `linked` False says that no link is on the way, which saves looking.
        """
        if not (_is_below(path, self.root) or _is_below(path, CONTAINER_ROOT)):
            return False
        if not linked:
            return True
        real = self.files.real(path)
        return _is_below(real, self._real_root) or _is_below(real, CONTAINER_ROOT)

    def display(self, path: str) -> str:
        """How messages name a file: from the root where it lies below, else absolute."""
        shown = path[len(self.root) + 1 :] if _is_below(path, self.root) else path
        return shown if shown.isascii() else shown.encode(errors="replace").decode()

    def folder_tenant(self, path: str) -> str | None:
        """The tenant that the file's folder names: `jobs/<tenant>/...`."""
        parts = self.display(path).split("/")
        return parts[1] if len(parts) > 2 and parts[0] == JOBS_FOLDER else None

    @cached_property
    def root_path(self) -> Path:
        """The root as a path object; one for all jobs."""
        return Path(self.root)

    @cached_property
    def _real_root(self) -> str:
        return self.files.real(self.root)

    def _exists(self, path: str) -> bool:
        return self.files.is_file(path) or self.files.is_folder(path)


def is_job_file(name: str) -> bool:
    """Whether a file below `jobs/` is a job by its name: YAML, and not hidden."""
    return name.endswith((".yaml", ".yml")) and not name.startswith(".")


def is_job_folder(name: str) -> bool:
    """Whether a folder below `jobs/` may hold jobs: not hidden, and not `data`."""
    return name != DATA_FOLDER and not name.startswith(".")


def _is_job_path(parts: list[str]) -> bool:
    return is_job_file(parts[-1]) and all(is_job_folder(part) for part in parts[:-1])


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")
