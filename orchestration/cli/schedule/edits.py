"""Changes of runner.yaml: shown, written as a whole, or not at all."""

from __future__ import annotations

import difflib
import fcntl
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestration.cli.schedule.entries import find_entry, read_entries, refuse_unreadable
from orchestration.cli.schedule.errors import FileChangedError
from orchestration.config.parse import parse

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from orchestration.cli.schedule.entries import WrittenEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerText:
    """The text of a runner.yaml as it was read, all of which is YAML, and its schedule entries."""

    file: Path
    text: str
    entries: tuple[WrittenEntry, ...]

    def find(self, name: str) -> WrittenEntry:
        """The entry with that name.

        Raises:
            UnknownScheduleError: there is none.
        """
        return find_entry(self.entries, name)

    def with_text(self, text: str) -> RunnerText:
        """The same file with another text."""
        entries, _ = read_entries(text.encode(), self.file, os.environ)
        return RunnerText(file=self.file, text=text, entries=entries)


def read_runner_text(file: Path) -> RunnerText:
    """The file as it is now.

    Raises:
        BrokenRunnerError: it is no YAML.
    """
    content = file.read_bytes()
    entries, is_whole = read_entries(content, file, os.environ)
    if not is_whole:
        refuse_unreadable(parse(content, file=file.name).finish(), file)
    return RunnerText(file=file, text=content.decode(), entries=entries)


def write(before: RunnerText, text: str) -> None:
    """Writes `text` in place of `before`. Of several commands at once one writes, and the others
    see what it has written.

    Raises:
        FileChangedError: the file is not as it was read any more.
        OSError: it cannot be written.
    """
    from orchestration.config.edit import write_text_atomically

    with _in_turn(before.file.resolve().parent):
        if before.file.read_bytes() != before.text.encode():
            raise FileChangedError(
                f"`{before.file}` was changed meanwhile, so nothing was written",
                help="look at the change, and repeat the command",
            )
        write_text_atomically(before.file, text)


@contextmanager
def _in_turn(folder: Path) -> Generator[None]:
    """Alone among those who edit files of the folder: a lock of the folder leaves no file behind."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # NFS cannot lock folders; there the comparison has to do
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def echo_diff(before: RunnerText, text: str) -> None:
    """Writes the difference to stdout, as `patch` reads it."""
    name = before.file.name
    lines = difflib.unified_diff(
        before.text.splitlines(keepends=True), text.splitlines(keepends=True), name, f"{name} (new)"
    )
    for line in lines:
        click.echo(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n", nl=False
        )
