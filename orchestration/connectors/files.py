"""Sources made of files: which there are, which changed, and the records of those."""

from __future__ import annotations

import glob
import gzip
import time
import zlib
from contextlib import contextmanager
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from orchestration.connectors.checkpoint import Checkpoint, FileMark, Method, marks_of
from orchestration.connectors.dead_letters import Form
from orchestration.connectors.errors import SourceError
from orchestration.connectors.names import FILE_COLUMN
from orchestration.connectors.paths import check_inside, locate
from orchestration.connectors.source import FileOrigin, Plan, Reading, SourceFile

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from os import stat_result

    from orchestration.connectors.options import FileOptions
    from orchestration.connectors.source import Batch

    Piece = tuple[FileOrigin, Batch]
    ReadFiles = Callable[[Sequence[SourceFile], Reading], Iterator[Piece]]

_MODIFIED_IS_VAGUE_NS = 2 * 10**9


def find_files(pattern: str, folder: Path) -> tuple[SourceFile, ...]:
    """The files that `pattern` means, by name; it starts from `folder`.

    Raises:
        SourceError: there is no such file.
        OptionsError: a relative pattern leads out of `folder`.
    """
    located = locate(pattern, folder)
    paths = [located] if located.exists() else map(Path, _glob(str(located)))
    files = {check_inside(path, pattern, folder): None for path in sorted(paths) if path.is_file()}
    if not files:
        raise SourceError(
            f"no file matches `{pattern}`",
            help=f"the path starts from `{folder}`; is the file there, and may it be read?",
        )
    root = folder.resolve()
    return tuple(SourceFile(path=path, name=_name(path, root)) for path in files)


def _glob(pattern: str) -> list[str]:
    """Without hidden files, which are often files in the making."""
    return glob.glob(pattern, recursive=True)  # noqa: PTH207 - pathlib does not skip hidden files


def _name(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def mark_file(file: SourceFile, before: FileMark | None) -> FileMark:
    """The mark of the file as it is now; it is `before` itself if the file did not change.

    Same size and time of modification mean unchanged, without reading the file. A file with a new
    time and the same content is unchanged too.

    Raises:
        SourceError: the file cannot be read.
    """
    try:
        found = file.path.stat()
        if before and (before.size, before.modified_ns) == (found.st_size, found.st_mtime_ns):
            return before
        digest = _digest(file.path)
    except OSError as error:
        raise SourceError(
            f"`{file.name}` cannot be read: {error.strerror}", help="is it there, and readable?"
        ) from error
    if before and before.digest == digest:
        return before
    return FileMark(size=found.st_size, modified_ns=_trusted_time(found), digest=digest)


def _digest(path: Path) -> str:
    digest = blake2b(digest_size=16)
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _trusted_time(found: stat_result) -> int:
    """The time of modification, 0 if a later write could still leave the same one."""
    age = time.time_ns() - found.st_mtime_ns
    return found.st_mtime_ns if age > _MODIFIED_IS_VAGUE_NS else 0


@contextmanager
def open_bytes(file: SourceFile) -> Generator[BinaryIO]:
    """The bytes of the file, unpacked where its name ends in `.gz`.

    Raises:
        SourceError: the file cannot be read, or not to its end.
    """
    opener = gzip.open if file.path.suffix == ".gz" else open
    try:
        with opener(file.path, "rb") as stream:
            yield cast("BinaryIO", stream)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(
            f"`{file.name}` cannot be read: {error}", help="is the file whole, and readable?"
        ) from error


class FileSource:
    """Files whose records `read` yields, in batches with their origin; a file that does not change
    is read once.

    What a changed file does depends on the write disposition: with `append` its records replace
    those it brought before, with `merge` they are merged by key, with `replace` all files are read
    again and become the table.
    """

    def __init__(
        self, options: FileOptions, folder: Path, read: ReadFiles, form: Form | None = None
    ) -> None:
        self.options = options
        self.form = form or Form(options.keys)
        self._folder = folder
        self._read = read

    def plan(self, last: Checkpoint | None) -> Plan:
        """The files that are new or changed since `last`."""
        before = marks_of(last)
        files = find_files(self.options.path, self._folder)
        marks = {file.name: mark_file(file, before.get(file.name)) for file in files}
        if self.options.disposition == "replace":
            return self._plan_replacement(files, marks, before)
        changed = [file for file in files if marks[file.name] != before.get(file.name)]
        if self.options.disposition == "append":
            changed = _with_doubles(changed, files, before)
        return Plan(
            nothing_new=not changed,
            to_read=tuple(changed),
            superseded=tuple(file.name for file in changed if file.name in before),
            marks={**before, **marks},
            rejected_earlier=_rejected(marks, without={file.name for file in changed}),
            unchanged=len(files) - len(changed),
        )

    def _plan_replacement(
        self,
        files: tuple[SourceFile, ...],
        marks: Mapping[str, FileMark],
        before: Mapping[str, FileMark],
    ) -> Plan:
        if marks != before:
            return Plan(whole=True, to_read=files, marks=marks)
        return Plan(
            nothing_new=True,
            marks=marks,
            rejected_earlier=_rejected(marks, without=set()),
            unchanged=len(files),
        )

    def read(self, plan: Plan, reading: Reading) -> Iterator[Batch]:
        """The records of the planned files, each with the name of its file."""
        for origin, batch in self._read(plan.to_read, reading):
            reading.origin = origin
            reading.tally.extracted += len(batch)
            yield with_file_names(batch, origin.file)
        reading.tally.files_read += len(plan.to_read)
        for file in plan.to_read:
            _check_untouched(file, plan.marks[file.name])

    def checkpoint(self, plan: Plan, reading: Reading, method: Method) -> Checkpoint:
        """The marks of all files, with what was rejected in those read now."""
        read_now = {
            file.name: replace(
                plan.marks[file.name],
                rejected=reading.rejects.get(file.name, 0),
                doubled=reading.doubled(file.name),
            )
            for file in plan.to_read
        }
        files = {**plan.marks, **read_now}
        return Checkpoint(method=method, shape=self.options.shape, files=files)


def _with_doubles(
    changed: Sequence[SourceFile], files: Sequence[SourceFile], before: Mapping[str, FileMark]
) -> list[SourceFile]:
    """The files that changed, and those that brought the same records as these: what was dropped of
    them may have gone from where it was.
    """
    names = {file.name for file in changed}
    while more := {
        file.name
        for file in files
        if file.name not in names and names.intersection(before[file.name].doubled)
    }:
        names |= more
    return [file for file in files if file.name in names]


def _rejected(marks: Mapping[str, FileMark], without: set[str]) -> dict[str, int]:
    return {
        name: mark.rejected for name, mark in marks.items() if mark.rejected and name not in without
    }


def _check_untouched(file: SourceFile, mark: FileMark) -> None:
    if mark_file(file, mark) is not mark:
        raise SourceError(
            f"`{file.name}` changed while it was read",
            help="run the job again when the file is complete; it is best moved in when it is",
        )


def with_file_names(batch: Batch, name: str) -> Batch:
    """The batch with the column that names the file of each record."""
    if isinstance(batch, list):
        records = cast("list[dict[str, Any]]", batch)
        return [{**record, FILE_COLUMN: name} for record in records]
    from orchestration.connectors.arrow import pa

    names = pa.DictionaryArray.from_arrays(pa.nulls(len(batch), pa.int8()).fill_null(0), [name])
    return batch.append_column(FILE_COLUMN, names)
