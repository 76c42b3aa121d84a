"""What a command is handed of its checkpoint, and what it hands back: a folder of one attempt.

The command reads a copy there, and leaves the new checkpoint beside it. Whatever becomes of the
command, the stored checkpoint changes in one place only, `keep`, once the attempt is known to have
committed its data.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from orchestration.errors import CheckpointRefusedError, CheckpointStoreError
from orchestration.runner.checkpoints import Checkpoints, Origin, check_size

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from orchestration.runner.checkpoints import Version

CURRENT_VARIABLE = "ORCHESTRATE_CHECKPOINT"
NEXT_VARIABLE = "ORCHESTRATE_CHECKPOINT_NEXT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """The folder of one attempt of a command job. No other attempt has the same.

    It is made when the attempt begins and removed when that ends. One that a killed process has
    left is removed by the next attempt of the job.
    """

    checkpoints: Checkpoints
    folder: Path
    origin: Origin

    @property
    def current_file(self) -> Path:
        """Where the command finds its checkpoint; there is no such file if it has none yet."""
        return self.folder / "checkpoint"

    @property
    def next_file(self) -> Path:
        """Where the command may leave a new one."""
        return self.folder / "checkpoint.next"

    @property
    def variables(self) -> dict[str, str]:
        """What the command is told of them."""
        return {CURRENT_VARIABLE: str(self.current_file), NEXT_VARIABLE: str(self.next_file)}

    @contextmanager
    def begin(self) -> Generator[Handed]:
        """Make the folder, with a copy of the current checkpoint; at the end all of it is removed.

        Raises:
            CheckpointStoreError: the checkpoint cannot be read, or the folder not be written.
            CheckpointDamagedError: the checkpoint is not what was stored.
        """
        version = self.checkpoints.current()
        content = self.checkpoints.read(version) if version else None
        held = self._make_folder()
        try:
            with self._telling():
                if content is not None:
                    self.current_file.write_bytes(content)
                    self.current_file.chmod(0o400)
            yield Handed(handover=self, content=content)
        finally:
            # What cannot be removed now is when the next attempt of the job begins.
            shutil.rmtree(self.folder, ignore_errors=True)
            held.close()

    def _make_folder(self) -> IO[str]:
        """Makes the folder, and holds it for as long as the returned file is open."""
        with self._telling():
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with (self.folder.parent / ".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                for other in self.folder.parent.iterdir():
                    if other.is_dir() and not _is_held(other):
                        shutil.rmtree(other, ignore_errors=True)
                self.folder.mkdir(mode=0o700)
                held = _held_file(self.folder).open("a")
                fcntl.flock(held, fcntl.LOCK_EX)
        return held

    @contextmanager
    def _telling(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise CheckpointStoreError(
                f"the folder {self.folder} of the attempt cannot be written:"
                f" {error.strerror or error}",
                help="see that the disk has space left, and that whoever runs jobs may write to the"
                " state directory",
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What the command has been handed: `content` is its checkpoint, None if it had none."""

    handover: Handover
    content: bytes | None = field(repr=False)

    @property
    def has_new(self) -> bool:
        """Whether the command has left anything where the new checkpoint is looked for."""
        return os.path.lexists(self.handover.next_file)

    def keep(self) -> Version | None:
        """Store what the command has left, in place of its checkpoint; None if there is nothing new.
        Call it only if the command has committed its data.

        Raises:
            CheckpointRefusedError: it is no regular file, or too large; or the command has written to
                the copy of its old checkpoint.
            CheckpointStoreError: it cannot be stored.
        """
        self._refuse_changed_copy()
        path = self.handover.next_file
        try:
            facts = path.lstat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(facts.st_mode):
            raise CheckpointRefusedError(
                f"what the command has left at `{NEXT_VARIABLE}` is no regular file",
                help="write the new checkpoint into one file",
            )
        check_size(facts.st_size, f"the file that the command has left at `{NEXT_VARIABLE}`")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise CheckpointRefusedError(
                f"the file that the command has left at `{NEXT_VARIABLE}` cannot be read:"
                f" {error.strerror or error}",
                help="leave a file that its owner may read",
            ) from error
        return self.handover.checkpoints.save(content, self.handover.origin)

    def _refuse_changed_copy(self) -> None:
        """Who writes there means to be remembered, and would not be."""
        if not self._is_as_handed():
            raise CheckpointRefusedError(
                f"the command has written to `{CURRENT_VARIABLE}`, which is a copy to read from",
                help=f"write the new checkpoint to the path in `{NEXT_VARIABLE}`",
            )

    def _is_as_handed(self) -> bool:
        path = self.handover.current_file
        try:
            facts = path.lstat()
            if not stat.S_ISREG(facts.st_mode) or facts.st_size != len(self.content or b""):
                return False
            return path.read_bytes() == self.content
        except FileNotFoundError:
            return True
        except PermissionError:
            return False


def _held_file(folder: Path) -> Path:
    return folder / ".held"


def _is_held(folder: Path) -> bool:
    """Whether the process that made the folder lives."""
    try:
        with _held_file(folder).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
