"""Where the workspace is, and where it keeps its state, before any of it is loaded."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

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
_STATE_DIRECTORY = re.compile(
    r"^([ ]+)state_directory:[ ]+(?P<quote>[\"']?)(?P<path>[^\"'\n#]+?)(?P=quote)[ ]*(?:#.*)?$",
    re.MULTILINE,
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
    """`runner.state_directory` as an absolute path, also of a runner.yaml that is broken.

    The line is searched for in the text: what the state directory holds is needed exactly when
    the file cannot be parsed.
    """
    try:
        text = runner_file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = sorted(_STATE_DIRECTORY.finditer(text), key=lambda match: len(match[1]))
    setting = found[0]["path"] if found else DEFAULT_STATE_DIRECTORY
    try:
        setting = substitute(setting, environ.get)
    except (ReferenceSyntaxError, UnresolvedReferenceError):
        setting = DEFAULT_STATE_DIRECTORY
    return Path(os.path.normpath(runner_file.absolute().parent / setting))
