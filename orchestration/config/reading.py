"""Reads one file at a time. Whatever is wrong with a file, or with us, costs that file alone."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from orchestration.config import (
    asset_files,
    jobs,
    runner_settings,
    workspace_rules,
    yaml_rules,
)
from orchestration.config.asset_files import AssetFiles
from orchestration.config.document import Document
from orchestration.config.instants import DATE_KEYS
from orchestration.config.parse import parse
from orchestration.config.runner_settings import RunnerContent
from orchestration.config.spares import Version, fill_gaps, render_spares, spares_name
from orchestration.config.words import show
from orchestration.domain.secrets import owned_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from orchestration.config.document import Place
    from orchestration.config.entries import Entry
    from orchestration.config.finder import JobFinder
    from orchestration.config.jobs import JobContext
    from orchestration.config.last_good import LastGood
    from orchestration.domain.job import Job


@dataclass(slots=True, eq=False)
class JobResult:
    """What came of one job file. `job` may be an older version of it, which is stale then."""

    path: str
    document: Document
    job: Job | None


@dataclass(slots=True, eq=False)
class RunnerResult:
    """What came of runner.yaml. `source` is the document that `content` was read from, which is not
    `document` where the last good version serves. `texts` are to be kept, by their names. `missing`
    are the names of the schedules whose entries are broken, also where older ones serve.
    """

    document: Document
    content: RunnerContent
    source: Document
    texts: Mapping[str, str]
    missing: frozenset[str] = frozenset()


class FileReader:
    """Reads job files and runner.yaml, and falls back to their last good versions."""

    def __init__(self, context: JobContext, finder: JobFinder, last_good: LastGood | None) -> None:
        self._layout = context.layout
        self.assets = AssetFiles(context.layout, self._open_asset, self._open_last_good)
        self._context = replace(context, read_asset=self.assets.read)
        self._finder = finder
        self._last_good = last_good

    def heed(self, content: RunnerContent) -> None:
        """From now on keep the secrets of tenants out of the job files that are read, and let
        `content` say of failures what a job does not.
        """
        sources = {tenant.name: tenant.secrets for tenant in content.tenants.values()}
        owners = owned_variables(self._context.environ, sources)
        self._context = replace(self._context, owners=owners, failures=content.failures)

    def read_job(self, path: str, *, linked: bool) -> JobResult:
        """The job of a file; its last good version if the file is broken now."""
        try:
            document = self._open(path, jobs.WHAT, linked=linked)
            job = jobs.read_job(document, path, self._context)
        except Exception as error:  # noqa: BLE001 - the boundary of one file, see _fault
            document, job = self._fault(path, error), None
        if job is not None:
            document.shed()
            return JobResult(path, document, job)
        return JobResult(path, document, self.read_older_job(document, path))

    def read_older_job(
        self, document: Document, path: str, accept: Callable[[Job], bool] = lambda _: True
    ) -> Job | None:
        """The job as it was when its file last loaded well, if `accept` agrees; says so then."""
        try:
            old = self._open_last_good(document.file)
            context = replace(self._context, read_asset=self.assets.read_older)
            job = jobs.read_job(old, path, context) if old else None
        except Exception:  # noqa: BLE001 - as above; the present file has its problems already
            return None
        if job is None or not accept(job):
            return None
        document.report(workspace_rules.LAST_GOOD_IN_FORCE, what="the job")
        return replace(job, stale=True)

    def reopen(self, document: Document) -> None:
        """Take up the values again that a document has shed."""
        if document.root is None and document.complete:
            document.root = parse(document.content, file=document.file).root

    def read_runner(self, path: str) -> RunnerResult:
        """What runner.yaml says; what its last good version says where it is broken now."""
        try:
            document = self._open(path, runner_settings.WHAT, linked=False, date_keys=DATE_KEYS)
            content = self._read_content(document)
            return self._fall_back(document, content)
        except Exception as error:  # noqa: BLE001 - as above
            document = self._fault(path, error)
            content, texts = self._read_content(document), self._kept_texts(document.file)
            return RunnerResult(document, content, document, texts)

    def is_unchanged(self, document: Document) -> bool:
        """Whether the file is as it was when it last loaded well."""
        kept = self._last_good.read(document.file) if self._last_good else None
        return kept is not None and kept.encode(errors="replace") == document.content

    def _read_content(self, document: Document) -> RunnerContent:
        environ = self._context.environ
        return runner_settings.read_runner(document, self._layout, environ, self._finder)

    def _fall_back(self, document: Document, content: RunnerContent) -> RunnerResult:
        """Let last good versions serve for what is broken: all of the file, or single schedules."""
        if content.is_sound and not content.broken_entries:
            return RunnerResult(document, content, document, {document.file: _text(document)})
        old = self._read_version(document.file)
        spares = self._read_version(spares_name(document.file))
        if content.is_sound or old is None:
            return self._fill_gaps(document, content, old, spares)
        document.report(workspace_rules.LAST_GOOD_IN_FORCE, what="runner.yaml")
        entries = fill_gaps(old.content, [spares] if spares else [])
        content = replace(old.content, entries=entries)
        return RunnerResult(document, content, old.document, self._kept_texts(document.file))

    def _fill_gaps(
        self,
        document: Document,
        content: RunnerContent,
        old: Version | None,
        spares: Version | None,
    ) -> RunnerResult:
        entries = fill_gaps(content, [version for version in (old, spares) if version])
        present = {entry.fields.name for entry in content.entries}
        for entry in entries:
            if entry.fields.name not in present:
                what = f"the schedule `{show(entry.fields.name)}`"
                document.report(workspace_rules.LAST_GOOD_IN_FORCE, what=what)
        missing = frozenset(content.broken_entries.keys() - present)
        content = replace(content, entries=entries)
        texts = _texts_to_keep(document, content, missing, old, spares)
        return RunnerResult(document, content, document, texts, missing)

    def read_older_entries(
        self, runner: RunnerResult, broken: Mapping[str, Place]
    ) -> tuple[Entry, ...]:
        """The last good versions of entries that turned out to be broken when all jobs were known.

        They stand at the places of `broken`, and are kept for as long as those are.
        """
        document, content = runner.document, runner.content
        if runner.source is not document:
            return ()
        old = self._read_version(document.file)
        spares = self._read_version(spares_name(document.file))
        runner.missing |= broken.keys()
        runner.texts = _texts_to_keep(document, content, runner.missing, old, spares)
        gaps = RunnerContent(settings=content.settings, broken_entries=broken)
        return fill_gaps(gaps, [version for version in (old, spares) if version])

    def _kept_texts(self, file: str) -> dict[str, str]:
        if self._last_good is None:
            return {}
        names = (file, spares_name(file))
        return {name: text for name in names if (text := self._last_good.read(name)) is not None}

    def _read_version(self, name: str) -> Version | None:
        document = self._open_last_good(name)
        return Version(document, self._read_content(document)) if document else None

    def _open(
        self, path: str, what: str, *, linked: bool, date_keys: Collection[str] = ()
    ) -> Document:
        file = self._layout.display(path)
        document = Document(file=file)
        if not self._layout.is_inside(path, linked=linked):
            document.report(workspace_rules.OUTSIDE_ROOT, path=show(file))
            return document
        try:
            content = self._layout.files.read(path)
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            document.report(yaml_rules.UNREADABLE, reason=reason)
            return document
        return parse(content, file=file, what=what, date_keys=date_keys)

    def _open_asset(self, path: str) -> Document:
        return self._open(path, asset_files.WHAT, linked=True)

    def _open_last_good(self, name: str) -> Document | None:
        text = self._last_good.read(name) if self._last_good else None
        if text is None:
            return None
        return parse(text.encode(errors="replace"), file=name, date_keys=DATE_KEYS)

    def _fault(self, path: str, error: Exception) -> Document:
        """A document whose problem is a fault of this program.

        The text of the error is left out: it may quote the file, and the file may hold secrets.
        """
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{PurePath(frame.filename).name}:{frame.lineno}"
        document = Document(file=self._layout.display(path))
        document.report(yaml_rules.OUR_BUG, reason=f"{type(error).__name__} in {where}")
        return document


def _texts_to_keep(
    document: Document,
    content: RunnerContent,
    missing: frozenset[str],
    old: Version | None,
    spares: Version | None,
) -> dict[str, str]:
    texts = {document.file: _text(document)} if content.is_sound else {}
    if kept := render_spares(missing, old, spares):
        texts[spares_name(document.file)] = kept
    return texts


def _text(document: Document) -> str:
    return document.content.decode()
