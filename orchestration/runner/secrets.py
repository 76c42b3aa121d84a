"""Where the secrets of one tenant are looked up.

A provider is made anew for each attempt, in the process that starts it, and reads when it is first
asked. A secret that was rotated is therefore in force at the next attempt, without a restart.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, assert_never

from orchestration.domain.secrets import EnvSecrets, FileSecrets
from orchestration.errors import (
    ExposedSecretsError,
    SecretsFormatError,
    SecretsUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from orchestration.domain.secrets import SecretSource

_QUOTES = ("'", '"')
_READABLE_BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe does not make us wait


class SecretProvider(Protocol):
    """A place that holds secrets of one tenant."""

    @property
    def description(self) -> str:
        """The place, as an error names it."""
        ...

    def find(self, name: str) -> str | None:
        """The value of the secret with that name, a variable name; None if there is none.

        Raises:
            OrchestrationError: the place cannot be read, or must not be trusted.
        """
        ...


class EnvProvider:
    """Variables of `environ` that begin with `prefix`, by the rest of their names."""

    def __init__(self, source: EnvSecrets, environ: Mapping[str, str]) -> None:
        self._prefix = source.prefix
        self._environ = environ

    @property
    def description(self) -> str:
        """The pattern of the variables' names."""
        return f"variables `{self._prefix}<NAME>`"

    def find(self, name: str) -> str | None:
        """The value of the variable `prefix` + `name`."""
        return self._environ.get(f"{self._prefix}{name}")


class FileProvider:
    """A file of `NAME=value` lines, or a folder with one file a secret.

    Each file must belong to the user of this process or to root, and nobody else may have any right
    on it. Within one provider a name keeps the value that was read first.
    """

    def __init__(self, source: FileSecrets) -> None:
        self._path = source.path
        self._values: dict[str, str | None] = {}
        self._is_folder: bool | None = None

    @property
    def description(self) -> str:
        """The path."""
        return f"`{self._path}`"

    def find(self, name: str) -> str | None:
        """The value in the line, or in the file, of that name.

        Raises:
            SecretsUnavailableError: there is nothing at the path, or it may not be read.
            ExposedSecretsError: others may read it, or could have written it.
            SecretsFormatError: it is no text, or a line of it is no `NAME=value`.
        """
        if self._is_folder is None:
            self._open()
        if self._is_folder and name not in self._values:
            self._values[name] = self._read_member(name)
        return self._values.get(name)

    def _open(self) -> None:
        try:
            with _opened(self._path) as (handle, status):
                self._is_folder = stat.S_ISDIR(status.st_mode)
                if not self._is_folder:
                    self._values = {**_parse_lines(_read(handle, self._path), self._path)}
        except FileNotFoundError:
            raise SecretsUnavailableError(
                f"there is no `{self._path}`, which holds the secrets of the tenant",
                help="create it, or correct `secrets.path` of the tenant in runner.yaml",
            ) from None

    def _read_member(self, name: str) -> str | None:
        path = self._path / name
        try:
            with _opened(path) as (handle, status):
                if stat.S_ISDIR(status.st_mode):
                    raise _no_file(path)
                text = _read(handle, path)
        except FileNotFoundError:
            return None
        return text.removesuffix("\n").removesuffix("\r")


def open_secrets(source: SecretSource, environ: Mapping[str, str]) -> SecretProvider:
    """The provider of a source; nothing is read yet."""
    match source:
        case EnvSecrets():
            return EnvProvider(source, environ)
        case FileSecrets():
            return FileProvider(source)
        case _:
            assert_never(source)


@contextmanager
def _opened(path: Path) -> Generator[tuple[int, os.stat_result]]:
    """The file or folder at `path`, links followed: opened, and only then judged, so that nobody
    can put another one into its place in between.
    """
    try:
        handle = os.open(path, _OPEN_FLAGS)
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise SecretsUnavailableError(
            f"the secrets in `{path}` cannot be read: {reason}",
            help="let the user that runs the jobs own it, and read it: `chmod 0400`",
        ) from None
    try:
        status = os.fstat(handle)
        _refuse_exposed(path, status)
        yield handle, status
    finally:
        os.close(handle)


def _refuse_exposed(path: Path, status: os.stat_result) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode):  # the names in it are no secrets
        exposed = mode & _WRITABLE_BY_OTHERS and not mode & stat.S_ISVTX
        what, cure = "others may replace the secrets", f"chmod go-w {path}"
    elif stat.S_ISREG(status.st_mode):
        exposed = mode & _READABLE_BY_OTHERS
        what, cure = "others may read or write the secrets", f"chmod 0400 {path}"
    else:
        raise _no_file(path)
    if exposed:
        raise ExposedSecretsError(
            f"{what} in `{path}`: its mode is {mode:04o}",
            help=f"`{cure}`; and if others did read them, replace them",
        )
    if status.st_uid not in (os.geteuid(), 0):
        raise ExposedSecretsError(
            f"the secrets in `{path}` belong to user {status.st_uid}, who is neither root nor the "
            f"user that runs the job ({os.geteuid()})",
            help=f"`chown {os.geteuid()} {path}`",
        )


def _no_file(path: Path) -> SecretsUnavailableError:
    return SecretsUnavailableError(
        f"the secrets in `{path}` cannot be read: it is not a regular file",
        help="a source of secrets is a file of `NAME=value` lines, or a folder with one file a secret",
    )


def _read(handle: int, path: Path) -> str:
    with open(handle, "rb", closefd=False) as file:
        content = file.read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _no_text(path) from None
    if "\0" in text:
        raise _no_text(path)
    return text


def _no_text(path: Path) -> SecretsFormatError:
    return SecretsFormatError(
        f"the secrets in `{path}` are no text in UTF-8 without null bytes, and cannot be variables",
        help="write binary secrets in base64, and let the job decode them",
    )


def _parse_lines(text: str, path: Path) -> dict[str, str]:
    values: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name = name.strip()
        if not (equals and name.isascii() and name.isidentifier()):
            raise _bad_line(path, number, "is no `NAME=value`")
        if name in values:
            raise _bad_line(path, number, "gives a name for the second time")
        values[name] = _unquote(value.strip())
    return values


def _unquote(value: str) -> str:
    is_quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in _QUOTES
    return value[1:-1] if is_quoted else value


def _bad_line(path: Path, number: int, what: str) -> SecretsFormatError:
    """Never shows the line, which may hold a secret in whatever form."""
    return SecretsFormatError(
        f"line {number} of the secrets in `{path}` {what}",
        help="each line is `NAME=value`, a comment that begins with `#`, or empty; the value goes to"
        " the end of the line, and quotes around all of it are taken off",
    )
