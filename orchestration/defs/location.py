"""One workspace as a code location: what is read when, and what is left for other processes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.config import LastGood, ScheduleGate, load_workspace
from orchestration.defs.assemble import build_contents, build_definitions
from orchestration.defs.index import INDEX_NAME, build_index, read_index, write_index
from orchestration.defs.repository import Contents, WorkspaceRepository
from orchestration.errors import UnknownJobError

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    import dagster as dg

    from orchestration.config import ConnectorCatalog
    from orchestration.defs.assets import KindOf
    from orchestration.domain.workspace import Workspace

_INDEX_VARIABLE = "ORCHESTRATE_INDEX"


@dataclass(slots=True)
class CodeLocation:
    """The workspace of one `runner.yaml` in Dagster's terms, loaded when Dagster asks.

    `environ` is read for references in the files; `gate` says whether a schedule is enabled in the
    file now. Loading the whole sets `ORCHESTRATE_INDEX` in `environ`, so that the run workers that
    this process starts find what has been loaded here: such a worker is one that finds it set.
    """

    runner_file: Path
    environ: MutableMapping[str, str]
    catalog: ConnectorCatalog
    kind_of: KindOf
    gate: ScheduleGate = field(init=False)
    _served_index: str | None = field(init=False)
    _loaded: Workspace | None = field(default=None, init=False)
    _enabled_since: dict[str, datetime] = field(default_factory=dict[str, datetime], init=False)

    def __post_init__(self) -> None:
        self.gate = ScheduleGate(self.runner_file, self.environ)
        self._served_index = self.environ.get(_INDEX_VARIABLE)

    def repository(self) -> WorkspaceRepository:
        """The repository, with nothing loaded yet."""
        return WorkspaceRepository(whole=self.whole, part=self.part)

    def whole(self) -> Contents:
        """Everything; writes the index and the last good version of each file."""
        workspace = self._load_and_publish()
        return build_contents(
            workspace,
            gate=self.gate,
            reload=self.load,
            kind_of=self.kind_of,
            enabled_since=self._enabled_since,
        )

    def definitions(self) -> dg.Definitions:
        """Everything at once, for a project that merges it with definitions of its own."""
        workspace = self._load_and_publish()
        return build_definitions(
            workspace,
            gate=self.gate,
            reload=self.load,
            kind_of=self.kind_of,
            enabled_since=self._enabled_since,
        )

    def part(self, keys: frozenset[dg.AssetKey]) -> dg.Definitions | None:
        """What a run of these assets needs; None if that is not known without loading all.

        Raises:
            UnknownJobError: in a run worker, a job was removed after its run was queued.
        """
        paths = {tuple(key.path) for key in keys}
        workspace = self._restrict(paths)
        if workspace is None or len(workspace.jobs) < len(paths):
            return None
        return build_definitions(workspace, gate=self.gate, reload=self.load, kind_of=self.kind_of)

    def load(self) -> Workspace:
        """The workspace as the files say now, broken ones in their last good version."""
        return load_workspace(
            self.runner_file,
            environ=self.environ,
            catalog=self.catalog,
            last_good=LastGood.of(self.runner_file, self.environ),
        )

    def _load_and_publish(self) -> Workspace:
        self._loaded = self.load()
        if self._served_index is None:
            index_file = self._loaded.settings.state_directory / INDEX_NAME
            index = build_index(self._loaded, before=read_index(index_file))
            write_index(index, index_file)
            self._enabled_since = index.starts()
            self.environ[_INDEX_VARIABLE] = str(index_file)
        return self._loaded

    def _restrict(self, paths: set[tuple[str, ...]]) -> Workspace | None:
        if self._loaded is not None:
            jobs = tuple(job for job in self._loaded.jobs if job.asset_key in paths)
            return replace(self._loaded, jobs=jobs, broken_jobs=(), schedules=(), problems=())
        index = read_index(Path(self._served_index)) if self._served_index else None
        if index is None:
            return None
        workspace = index.restrict(paths)
        if workspace is None:
            raise _removed(path for path in paths if "/".join(path) not in index.jobs)
        return workspace


def _removed(paths: Iterable[tuple[str, ...]]) -> UnknownJobError:
    names = ", ".join(f"`{'/'.join(path)}`" for path in sorted(paths))
    return UnknownJobError(
        f"the job of asset {names} is not in the files any more",
        help="it was removed, renamed or broken after this run was launched; launch a new run",
    )
