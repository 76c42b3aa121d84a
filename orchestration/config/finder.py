"""Which job files a workspace has, and whether a path in a file may name one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.config import workspace_rules
from orchestration.config.files import JOBS_FOLDER
from orchestration.config.words import show

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from orchestration.config.document import Document, Place
    from orchestration.config.files import Layout


class JobFinder:
    """The job files below `jobs/`, or those of `only`: then no other file counts.

    `found` says for each path whether a symbolic link may be on the way to it.
    """

    def __init__(self, layout: Layout, only: Collection[str] | None) -> None:
        self._layout = layout
        self._is_restricted = only is not None
        self.found: Mapping[str, bool] = (
            {one.path: one.linked for one in layout.files.find(f"{layout.root}/{JOBS_FOLDER}")}
            if only is None
            else dict.fromkeys(only, True)
        )

    def is_wanted(self, text: str) -> bool:
        """Whether a schedule that names its job file so is to be read."""
        return not self._is_restricted or self._layout.resolve(text) in self.found

    def find(self, document: Document, place: Place, text: str) -> str | None:
        """The absolute path of the job file that `text` names; None, and a report, if there is
        none in the workspace.
        """
        path, shown = self._layout.resolve(text), show(text)
        if path in self.found:
            return path
        if not self._layout.is_inside(path):
            document.report(workspace_rules.OUTSIDE_ROOT, place, path=shown)
        elif not self._layout.files.is_file(path):
            looked = f"`{path}`"
            document.report(
                workspace_rules.MISSING_FILE, place, what="job file", path=shown, looked=looked
            )
        else:
            return path
        return None
