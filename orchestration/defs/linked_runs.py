"""New runs in a run storage, as parts of the group that their tags name.

Dagster's sensors launch runs that repeat no other: they set the tags of a group and not the fields,
which its UI goes by. And whoever repeats a run gives the new one the tags of the old, with what that
one said of itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._core.storage.tags import PARENT_RUN_ID_TAG, ROOT_RUN_ID_TAG
from dagster_shared import record

from orchestration.defs.waiting import own_tags

if TYPE_CHECKING:
    from dagster import DagsterRun


class LinkedRuns(SqlRunStorage):
    """Runs and their tags; `add_run` is what all new runs go through."""

    def add_run(self, dagster_run: DagsterRun) -> DagsterRun:
        """Store the run, with parent and root as its tags say and without the tags of others."""
        return super().add_run(link(dagster_run))


def link(run: DagsterRun) -> DagsterRun:
    """The run as it is stored."""
    own = run.with_tags(own_tags(run))
    parent, root = own.tags.get(PARENT_RUN_ID_TAG), own.tags.get(ROOT_RUN_ID_TAG)
    if own.parent_run_id is None and parent and root:
        return record.copy(own, parent_run_id=parent, root_run_id=root)  # pyright: ignore[reportUnknownMemberType] - dagster types it in part
    return own
