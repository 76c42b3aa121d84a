"""Reads one file at a time. Whatever is wrong with a file, or with us, costs that file alone."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from orchestration.config import jobs, runner_settings, workspace_rules, yaml_rules
from orchestration.config.document import Document
from orchestration.config.parse import parse
from orchestration.config.words import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.config.entries import Entry
    from orchestration.config.finder import JobFinder
    from orchestration.config.jobs import JobContext
    from orchestration.config.last_good import LastGood
    from orchestration.config.runner_settings import RunnerContent
    from orchestration.domain.job import Job


@dataclass(slots=True, eq=False)
class JobResult:
    """What came of one job file. `job` may be an older version of it, which is stale then."""

    path: str
    document: Document
    job: Job | None


@dataclass(slots=True, eq=False)
class RunnerResult:
    """What came of runner.yaml. Beside each schedule entry is the document that it stands in,
    which is not `document` where the last good version serves.
    """

    document: Document
    content: RunnerContent
    entries: list[tuple[Document, Entry]]


class FileReader:
    """Reads job files and runner.yaml, and falls back to their last good versions."""

    def __init__(self, context: JobContext, finder: JobFinder, last_good: LastGood | None) -> None:
        self._context = context
        self._layout = context.layout
        self._finder = finder
        self._last_good = last_good

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
            old = self._open_last_good(document)
            job = jobs.read_job(old, path, self._context) if old else None
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
            document = self._open(path, runner_settings.WHAT, linked=False)
            content = self._read_content(document)
            return self._fall_back(document, content)
        except Exception as error:  # noqa: BLE001 - as above
            document = self._fault(path, error)
            return RunnerResult(document, self._read_content(document), [])

    def is_unchanged(self, document: Document) -> bool:
        """Whether the file is as it was when it last loaded well."""
        kept = self._last_good.read(document.file) if self._last_good else None
        return kept is not None and kept.encode(errors="replace") == document.content

    def _read_content(self, document: Document) -> RunnerContent:
        environ = self._context.environ
        return runner_settings.read_runner(document, self._layout, environ, self._finder)

    def _fall_back(self, document: Document, content: RunnerContent) -> RunnerResult:
        """Let the last good version serve for what is broken: all of it, or single schedules."""
        result = RunnerResult(document, content, [(document, entry) for entry in content.entries])
        if content.is_sound and not content.broken_entries:
            return result
        old_document = self._open_last_good(document)
        if old_document is None:
            return result
        old = self._read_content(old_document)
        if not content.is_sound:
            document.report(workspace_rules.LAST_GOOD_IN_FORCE, what="runner.yaml")
            return RunnerResult(document, old, [(old_document, entry) for entry in old.entries])
        for entry in old.entries:
            if entry.fields.name in content.broken_entries:
                what = f"the schedule `{show(entry.fields.name)}`"
                document.report(workspace_rules.LAST_GOOD_IN_FORCE, what=what)
                result.entries.append((old_document, entry))
        return result

    def _open(self, path: str, what: str, *, linked: bool) -> Document:
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
        return parse(content, file=file, what=what)

    def _open_last_good(self, document: Document) -> Document | None:
        text = self._last_good.read(document.file) if self._last_good else None
        if text is None:
            return None
        return parse(text.encode(errors="replace"), file=document.file)

    def _fault(self, path: str, error: Exception) -> Document:
        """A document whose problem is a fault of this program.

        The text of the error is left out: it may quote the file, and the file may hold secrets.
        """
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{PurePath(frame.filename).name}:{frame.lineno}"
        document = Document(file=self._layout.display(path))
        document.report(yaml_rules.OUR_BUG, reason=f"{type(error).__name__} in {where}")
        return document
