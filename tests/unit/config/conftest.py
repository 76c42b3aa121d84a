"""Workspaces that are held in memory."""

from pathlib import Path

import pytest

from orchestration.config import EMPTY_CATALOG, load_workspace
from orchestration.config.files import Memory

ROOT = "/workspace"


class Kept:
    """A store of last good texts, in memory."""

    def __init__(self, texts=()):
        self.texts = dict(texts)

    def read(self, file):
        return self.texts.get(file)

    def write(self, texts):
        self.texts = dict(texts)


@pytest.fixture
def kept():
    return Kept


@pytest.fixture
def load():
    """Load a workspace from texts by relative path."""

    def load_files(files, *, environ=None, catalog=EMPTY_CATALOG, **arguments):
        contents = {f"{ROOT}/{name}": text.encode() for name, text in files.items()}
        contents.setdefault(f"{ROOT}/runner.yaml", b"runner: {}\n")
        return load_workspace(
            Path(ROOT, "runner.yaml"),
            environ=environ or {},
            catalog=catalog,
            files=Memory(contents),
            **arguments,
        )

    return load_files
