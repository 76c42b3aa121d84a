"""Whether schedules are enabled, as runner.yaml says at this moment."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from orchestration.config.garbage import collection_paused
from orchestration.config.parse import parse
from orchestration.config.scalars import read_plain
from orchestration.domain.references import (
    ReferenceSyntaxError,
    UnresolvedReferenceError,
    substitute,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestration.domain.events import JsonValue


class ScheduleGate:
    """Answers from runner.yaml, which is read again only when its time or size has changed."""

    def __init__(self, runner_file: Path, environ: Mapping[str, str]) -> None:
        self._path = os.fspath(runner_file)
        self._environ = environ
        self._stamp: tuple[int, int] | None = None
        self._answers: dict[str, bool] = {}

    def __call__(self, name: str) -> bool | None:
        """Whether the schedule is enabled now; None where the file does not say.

        It does not say so of a name that is not in it: that may be the old name of a schedule whose
        last good version is in force. While the file (or the entry) is broken the last answer holds.
        """
        try:
            status = os.stat(self._path)  # noqa: PTH116 - called at each tick of each schedule
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._read()
                self._stamp = stamp
        except OSError:
            self._stamp = None
        return self._answers.get(name)

    def _read(self) -> None:
        with open(self._path, "rb") as file, collection_paused():  # noqa: PTH123 - as above
            document = parse(file.read(), file=self._path)
        entries = _entries(document.data)
        if not document.complete or entries is None:
            return
        self._answers = {
            name: enabled
            for entry in entries
            if isinstance(entry, dict)
            and isinstance(name := self._resolve(entry.get("name")), str)
            and (enabled := self._enabled(entry, name)) is not None
        }

    def _enabled(self, entry: Mapping[str, JsonValue], name: str) -> bool | None:
        value = self._resolve(entry.get("enabled", True))
        return value if isinstance(value, bool) else self._answers.get(name)

    def _resolve(self, value: JsonValue) -> JsonValue:
        """The value with its references resolved; a malformed or missing one stays as it is."""
        if not isinstance(value, str) or "${" not in value:
            return value
        try:
            return read_plain(substitute(value, self._environ.get))[0]
        except (ReferenceSyntaxError, UnresolvedReferenceError):
            return value


def _entries(data: JsonValue) -> list[JsonValue] | None:
    """The schedule entries; None where the file does not say."""
    for key in ("runner", "orchestrator", "schedules"):
        if not isinstance(data, dict):
            return None
        data = data.get(key)
    if data is None:
        return []
    return data if isinstance(data, list) else None


@lru_cache(maxsize=8)
def _gate(runner_file: Path) -> ScheduleGate:
    return ScheduleGate(runner_file, os.environ)


def schedule_enabled(runner_file: Path, name: str) -> bool | None:
    """Whether the schedule is enabled in the file now, see `ScheduleGate`."""
    return _gate(runner_file)(name)
