"""One workspace as a code location: what is read when, and what is left for other processes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.config import LastGood, ScheduleGate, load_workspace
from orchestration.defs.assemble import build_contents, build_definitions
from orchestration.defs.index import INDEX_NAME, build_index, read_index, write_index
from orchestration.defs.repository import Contents, WorkspaceRepository

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    import dagster as dg

    from orchestration.config import ConnectorCatalog
    from orchestration.defs.assets import KindOf
    from orchestration.domain.workspace import Workspace

_INDEX_VARIABLE = "ORCHESTRATE_INDEX"


@dataclass(slots=True)
class CodeLocation:
    """The workspace of one `runner.yaml` in Dagster's terms, loaded when Dagster asks.

    `environ` is read for references in the files; `gate` says whether a schedule is enabled in the
    file now. Loading the whole sets `ORCHESTRATE_INDEX` in it,
    so that the run workers that this process starts find what has been loaded here.
    """

    runner_file: Path
    environ: MutableMapping[str, str]
    catalog: ConnectorCatalog
    kind_of: KindOf
    gate: ScheduleGate = field(init=False)
    _loaded: Workspace | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.gate = ScheduleGate(self.runner_file, self.environ)

    def repository(self) -> WorkspaceRepository:
        """The repository, with nothing loaded yet."""
        return WorkspaceRepository(whole=self.whole, part=self.part)

    def whole(self) -> Contents:
        """Everything; writes the index and the last good version of each file."""
        workspace = self.load()
        index_file = workspace.settings.state_directory / INDEX_NAME
        write_index(build_index(workspace), index_file)
        self.environ[_INDEX_VARIABLE] = str(index_file)
        self._loaded = workspace
        return build_contents(workspace, gate=self.gate, reload=self.load, kind_of=self.kind_of)

    def definitions(self) -> dg.Definitions:
        """Everything at once, for a project that merges it with definitions of its own."""
        return build_definitions(
            self.load(), gate=self.gate, reload=self.load, kind_of=self.kind_of
        )

    def part(self, keys: frozenset[dg.AssetKey]) -> dg.Definitions | None:
        """What a run of these assets needs; None if that is not known without loading all."""
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

    def _restrict(self, paths: set[tuple[str, ...]]) -> Workspace | None:
        if self._loaded is not None:
            jobs = tuple(job for job in self._loaded.jobs if job.asset_key in paths)
            return replace(self._loaded, jobs=jobs, broken_jobs=(), schedules=(), problems=())
        index_file = self.environ.get(_INDEX_VARIABLE)
        index = read_index(Path(index_file)) if index_file else None
        return index.restrict(paths) if index else None
