"""The last texts of the files that loaded well, for when one of them is broken."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

from orchestration.config.find import find_state_directory

if TYPE_CHECKING:
    from collections.abc import Mapping

STORE_NAME = "last_good.json"
_VERSION = 1


class LastGood:
    """A store of texts by file name, in one JSON file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._texts: dict[str, str] | None = None

    @classmethod
    def of(cls, runner_file: Path, environ: Mapping[str, str]) -> LastGood:
        """The store of a workspace, also while its runner.yaml is broken."""
        return cls(find_state_directory(runner_file, environ) / STORE_NAME)

    def read(self, file: str) -> str | None:
        """The last good text of a file (named as in locations), None if there is none."""
        return self._read_all().get(file)

    def write(self, texts: Mapping[str, str]) -> None:
        """Keep exactly `texts`, if they differ from what is kept. A reader sees the old or the new.

        Raises:
            OSError: the store cannot be written.
        """
        if dict(texts) == self._read_all():
            return
        content = json.dumps({"version": _VERSION, "texts": dict(texts)}, ensure_ascii=False)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{STORE_NAME}.")
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(content)
        Path(temporary).replace(self.path)
        self._texts = dict(texts)

    def _read_all(self) -> dict[str, str]:
        if self._texts is None:
            self._texts = self._load()
        return self._texts

    def _load(self) -> dict[str, str]:
        """An unreadable store is an empty one: it is written anew after the next good load."""
        try:
            stored = cast("object", json.loads(self.path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}
        texts = cast("dict[str, object]", stored).get("texts") if isinstance(stored, dict) else None
        if not isinstance(texts, dict):
            return {}
        pairs = cast("dict[str, object]", texts).items()
        return {file: text for file, text in pairs if isinstance(text, str)}
