"""Where the workspace is, and where it keeps its state, before any of it is loaded."""

from __future__ import annotations

import os
import re
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.config.files import Disk, Layout
from orchestration.config.garbage import collection_paused
from orchestration.config.parse import parse
from orchestration.domain.references import (
    ReferenceSyntaxError,
    UnresolvedReferenceError,
    substitute,
)
from orchestration.errors import WorkspaceNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNNER_VARIABLE = "ORCHESTRATE_RUNNER"
RUNNER_NAME = "runner.yaml"
DEFAULT_STATE_DIRECTORY = ".orchestrate"
_KEY = "state_directory"
_RUNNER_LINE = re.compile(r"(?P<quote>[\"']?)runner(?P=quote)[ ]*:[ ]*(?:#.*)?")
_SETTING_LINE = re.compile(
    rf"(?P<mark>[\"']?){_KEY}(?P=mark)[ ]*:[ ]+(?P<quote>[\"']?)(?P<path>[^\"'#]+?)(?P=quote)"
    r"[ ]*(?:#.*)?"
)


def find_runner_file(explicit: Path | None, environ: Mapping[str, str], folder: Path) -> Path:
    """The absolute path of runner.yaml: `explicit`, else `ORCHESTRATE_RUNNER`, else in `folder`.

    The first two may also name the folder that it lies in.

    Raises:
        WorkspaceNotFoundError: there is none where it was looked for.
    """
    named = explicit or (Path(environ[RUNNER_VARIABLE]) if environ.get(RUNNER_VARIABLE) else None)
    path = folder / (named or RUNNER_NAME)
    if path.is_dir():
        path /= RUNNER_NAME
    if path.is_file():
        return Path(os.path.abspath(path))  # noqa: PTH100 - absolute() keeps `..`
    origin = "--runner" if explicit else RUNNER_VARIABLE if named else "the current folder"
    raise WorkspaceNotFoundError(
        f"there is no runner.yaml at `{path}` ({origin})",
        help=f"go to the folder of a runner.yaml, or name one with --runner or {RUNNER_VARIABLE}",
    )


def find_state_directory(runner_file: Path, environ: Mapping[str, str]) -> Path:
    """`runner.state_directory` as an absolute path, as loading the file has it.

    Of a file that cannot be parsed the line is searched for: what the state directory holds is
    needed exactly then.
    """
    path = os.path.abspath(runner_file)  # noqa: PTH100 - paths are texts in this package
    layout = Layout(os.path.dirname(path), Disk())  # noqa: PTH120 - as above
    try:
        setting = substitute(_find_setting(layout.files.read(path)), environ.get)
    except (OSError, ReferenceSyntaxError, UnresolvedReferenceError):
        setting = ""
    return read_state_directory(setting, layout)


def read_state_directory(setting: str, layout: Layout) -> Path:
    """What the setting means, with its references resolved; the default if it has none or one of
    them has no value.
    """
    is_known = setting and "${" not in setting
    return Path(layout.resolve(setting if is_known else DEFAULT_STATE_DIRECTORY))


def _find_setting(content: bytes) -> str:
    if _KEY.encode() not in content:
        return ""
    with collection_paused():
        document = parse(content, file=RUNNER_NAME)
    if not document.complete:
        return _search_setting(content.decode(errors="replace"))
    runner = document.data.get("runner")
    value = runner.get(_KEY) if isinstance(runner, dict) else None
    return value if isinstance(value, str) else ""


def _search_setting(text: str) -> str:
    """The setting in a line of its own below `runner:`, as deep as the first line there."""
    lines = (line.rstrip() for line in text.splitlines())
    lines = (line for line in lines if line and not line.lstrip().startswith("#"))
    depth: int | None = None
    for line in dropwhile(lambda line: not _RUNNER_LINE.fullmatch(line), lines):
        indentation = len(line) - len(line.lstrip(" "))
        if indentation == 0:
            depth = 0 if _RUNNER_LINE.fullmatch(line) else None
        elif depth == 0:
            depth = indentation
        if (
            indentation
            and indentation == depth
            and (match := _SETTING_LINE.fullmatch(line.strip()))
        ):
            return match["path"]
    return ""
