"""Paths in options: relative ones stay inside the workspace, absolute ones are meant."""

from __future__ import annotations

from pathlib import Path

from orchestration.connectors.errors import OptionsError

_CONTAINER_ROOT = Path("/app")


def locate(pattern: str, folder: Path) -> Path:
    """The absolute path, or glob pattern, that `pattern` means.

    `/app/...` that does not exist means the same path under `folder`, so that one file serves the
    container and the laptop.
    """
    path = Path(pattern)
    if not path.is_absolute():
        return folder / path
    if path.is_relative_to(_CONTAINER_ROOT) and not any(
        _CONTAINER_ROOT.glob(str(path.relative_to(_CONTAINER_ROOT)))
    ):
        return folder / path.relative_to(_CONTAINER_ROOT)
    return path


def check_inside(path: Path, pattern: str, folder: Path) -> Path:
    """`path` without symbolic links.

    Raises:
        OptionsError: `pattern` is relative and `path` lies outside `folder`.
    """
    real = path.resolve()
    if real.is_relative_to(folder.resolve()) or Path(pattern).is_absolute():
        return real
    raise OptionsError(
        f"`{pattern}` leads out of `{folder}`, to `{real}`",
        help="keep the data inside the folder of `runner.yaml`, or write the absolute path",
    )
