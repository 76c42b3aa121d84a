"""The checkpoint of a command job: its current version, and the versions before.

Each version is a file of its own, whose name says everything about it: number, instant, run,
attempt and the digest of its content. The current one is that with the highest number, so one
atomic write makes a new version, and nothing is ever changed in place. A job that was reset has a
version without content as its current one. Copying the files moves a job to another store.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from orchestration.errors import (
    CheckpointDamagedError,
    CheckpointRefusedError,
    CheckpointStoreError,
)
from orchestration.runner.checkpoint_stores import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.domain.workspace import Settings
    from orchestration.runner.checkpoint_stores import CheckpointStore

KEPT_VERSIONS = 10
LARGEST_BYTES = 64 * 1024 * 1024
# The one file of a job that had one before there were versions.
_UNVERSIONED = "current"
_BY_HAND = "hand"
_RESET = "reset"
_INSTANT = "%Y%m%dT%H%M%S%fZ"
_NAME = re.compile(
    r"(?P<number>\d{10})_(?P<instant>\d{8}T\d{12}Z)_(?P<run>.+)_(?P<attempt>\d+)"
    rf"_(?P<digest>[0-9a-f]{{64}}|{_RESET})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The attempt that has left a checkpoint; `attempt` counts from 1."""

    run_id: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a checkpoint. Numbers begin with 1 and are not used twice. `stored_at` is not
    known of what a job had before there were versions. `size` is in bytes. `digest` is the SHA-256
    of the content, None if this version is a reset. Without an `origin` it was set by hand.
    """

    number: int
    stored_at: datetime | None
    origin: Origin | None
    size: int
    digest: str | None
    name: str


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints:
    """The versions of the checkpoint of one job. Whatever the store refuses is raised as
    `CheckpointStoreError`.
    """

    store: CheckpointStore
    job_id: str
    clock: Callable[[], datetime] = _now

    def history(self) -> tuple[Version, ...]:
        """The last versions, newest first, and at most `KEPT_VERSIONS`."""
        return tuple(self._versions()[:KEPT_VERSIONS])

    def current(self) -> Version | None:
        """The version that the next run starts from; None if there is none, or it was reset."""
        newest = next(iter(self.history()), None)
        return newest if newest and newest.digest is not None else None

    def read(self, version: Version) -> bytes:
        """The content of a version that is no reset.

        Raises:
            CheckpointDamagedError: it is not what was stored.
        """
        content = self.store.read(self.job_id, version.name)
        if _digest(content) != version.digest:
            raise CheckpointDamagedError(
                f"version {version.number} of the checkpoint of `{self.job_id}` is damaged: its"
                " content is not what was stored",
                help=f"`orchestrate checkpoint history {self.job_id}` shows the versions before;"
                f" write one to a file with `orchestrate checkpoint show {self.job_id} --version N`,"
                f" and set it with `orchestrate checkpoint set {self.job_id} FILE`",
            )
        return content

    def save(self, content: bytes, origin: Origin | None = None) -> Version | None:
        """Make `content` the current version; None if it is that already.

        Raises:
            CheckpointRefusedError: it is larger than `LARGEST_BYTES`.
        """
        check_size(len(content), f"the checkpoint of `{self.job_id}`")
        return self._add(content, _digest(content), origin)

    def reset(self) -> Version | None:
        """Make the job begin anew; None if it does already. The versions before can be set again."""
        return self._add(b"", None, None)

    def _add(self, content: bytes, digest: str | None, origin: Origin | None) -> Version | None:
        with self.store.exclusive(self.job_id):
            before = self._versions()
            newest = before[0] if before else None
            if digest == (newest.digest if newest else None):
                return None
            number = newest.number + 1 if newest else 1
            version = self._version(number, len(content), digest, origin)
            self.store.write(self.job_id, version.name, content)
            self._forget_old(before)
        return version

    def _version(
        self, number: int, size: int, digest: str | None, origin: Origin | None
    ) -> Version:
        instant = self.clock()
        run, attempt = (quote(origin.run_id, safe=""), origin.attempt) if origin else (_BY_HAND, 0)
        return Version(
            number=number,
            stored_at=instant,
            origin=origin,
            size=size,
            digest=digest,
            name=f"{number:010}_{instant:{_INSTANT}}_{run}_{attempt}_{digest or _RESET}",
        )

    def _versions(self) -> list[Version]:
        """All that are there, newest first."""
        sizes = self.store.sizes(self.job_id)
        found = sorted(
            (version for name, size in sizes.items() if (version := _parse_name(name, size))),
            key=lambda version: (version.number, version.name),
            reverse=True,
        )
        return [self._unversioned()] if not found and _UNVERSIONED in sizes else found

    def _forget_old(self, before: list[Version]) -> None:
        for version in before[KEPT_VERSIONS - 1 :]:
            with suppress(CheckpointStoreError):  # the next one tries again; the new one is stored
                self.store.remove(self.job_id, version.name)

    def _unversioned(self) -> Version:
        content = self.store.read(self.job_id, _UNVERSIONED)
        return Version(
            number=1,
            stored_at=None,
            origin=None,
            size=len(content),
            digest=_digest(content),
            name=_UNVERSIONED,
        )


def open_checkpoints(settings: Settings, job_id: str) -> Checkpoints:
    """The checkpoints of a job where the settings keep them; nothing is read yet."""
    store = open_store(settings.checkpoint_url, settings.state_directory)
    return Checkpoints(store=store, job_id=job_id)


def check_size(size: int, what: str) -> None:
    """Refuses a checkpoint that is too large.

    Raises:
        CheckpointRefusedError: `size` is above `LARGEST_BYTES`.
    """
    if size > LARGEST_BYTES:
        raise CheckpointRefusedError(
            f"{what} has {size:,} bytes, and may have {LARGEST_BYTES:,}",
            help="keep in it how far the job has come; data belongs into a target",
        )


def _parse_name(name: str, size: int) -> Version | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    attempt = int(match["attempt"])
    return Version(
        number=int(match["number"]),
        stored_at=datetime.strptime(match["instant"], _INSTANT).replace(tzinfo=UTC),
        origin=Origin(run_id=unquote(match["run"]), attempt=attempt) if attempt else None,
        size=size,
        digest=None if match["digest"] == _RESET else match["digest"],
        name=name,
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
