"""One load with dlt: extract, normalize, and commit everything in one transaction."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import dlt
from dlt.pipeline.exceptions import PipelineStepFailed

from orchestration.connectors.checkpoint import CHECKPOINT, RESOURCE, checkpoint_to_json
from orchestration.connectors.dlt_context import confine
from orchestration.connectors.dlt_failures import unwrap
from orchestration.connectors.errors import OptionsError, RejectedError
from orchestration.connectors.files import FILE_COLUMN
from orchestration.connectors.source import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dlt.pipeline.pipeline import Pipeline

    from orchestration.connectors.checkpoint import Checkpoint, Method
    from orchestration.connectors.events import Column, Emitter, Tally, Written
    from orchestration.connectors.source import Plan, Source
    from orchestration.connectors.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Everything that one load needs to know.

    `last` is the checkpoint to go on from; without it the load starts over, and the table with all
    that is remembered of it is replaced. `scratch` is a folder of this job alone.
    """

    pipeline: str
    source: Source
    plan: Plan
    target: Target
    method: Method
    last: Checkpoint | None
    scratch: Path
    tally: Tally
    emitter: Emitter


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a load did. `written` is None if the table was never made, for want of records;
    `new_columns` were added to a table that was there before. `load_id` is dlt's name for it.
    """

    load_id: str
    written: Written | None
    new_columns: tuple[Column, ...] = ()


def load(job: Load) -> Loaded | None:
    """Extracts what is new and commits it together with the checkpoint; None if nothing is new.

    Raises:
        SourceError, TargetError, RejectedError: and nothing was changed.
    """
    shutil.rmtree(job.scratch, ignore_errors=True)
    try:
        confine(job.scratch)
        return _load(job)
    except PipelineStepFailed as error:
        failure = unwrap(error)
    finally:
        shutil.rmtree(job.scratch, ignore_errors=True)
    raise failure


def _load(job: Load) -> Loaded | None:
    connections: list[Any] = []
    pipeline = dlt.pipeline(
        job.pipeline,
        pipelines_dir=str(job.scratch),
        destination=job.target.destination(lambda: connections[-1]),
        dataset_name=job.target.dataset,
    )
    if job.last is not None:
        with job.target.reading() as connection:
            connections.append(connection)
            pipeline.sync_destination()
    reading = Reading(
        tally=job.tally, emitter=job.emitter, known_type=_known_types(pipeline, job.target.table)
    )
    _check_declared(job, reading)
    pipeline.extract(_resource(job, reading), loader_file_format="parquet")
    _check_rejects(job)
    if job.last and reading.digest and reading.digest == job.last.digest:
        return None
    normalized = pipeline.normalize()
    if not pipeline.list_normalized_load_packages():
        return None
    records = normalized.row_counts.get(job.target.table, 0)
    with job.target.transaction() as connection:
        connections.append(connection)
        return _write(job, pipeline, connection, records)


def _resource(job: Load, reading: Reading) -> Any:
    """The dlt resource that yields the records of the source and then sets the checkpoint."""
    options = job.source.options
    incremental = getattr(options, "incremental", None)
    dlt_cursor = _incremental(incremental)

    def records(cursor: Any = dlt_cursor) -> Iterator[Any]:
        reading.start = cursor.last_value if incremental else None
        yield from job.source.read(job.plan, reading)
        checkpoint = job.source.checkpoint(job.plan, reading, job.method)
        table = job.target.table if job.tally.valid else job.last and job.last.table
        remembered = checkpoint_to_json(replace(checkpoint, table=table))
        dlt.current.resource_state(RESOURCE)[CHECKPOINT] = remembered

    resource: Any = dlt.resource  # its overloads do not foresee options that are computed
    return resource(
        records,
        name=RESOURCE,
        table_name=job.target.table,
        max_table_nesting=0,
        write_disposition=_dlt_disposition(job),
        primary_key=options.keys or None,
        columns=_hints(job, incremental),
    )


def _incremental(incremental: Any) -> Any:
    if incremental is None:
        return None
    return dlt.sources.incremental(
        incremental.cursor,
        initial_value=incremental.initial_value,
        lag=incremental.lag or None,
        on_cursor_value_missing="raise",
    )


def _dlt_disposition(job: Load) -> Any:
    """The write disposition for dlt. To replace is to append to what `_make_room` emptied: dlt
    would keep the old rows when there are no new ones.
    """
    if job.source.options.disposition == "merge":
        return {"disposition": "merge", "strategy": "delete-insert"}
    return "append"


def _hints(job: Load, incremental: Any) -> dict[str, Any]:
    """Declared types; and of two records with one key, the one with the later cursor wins."""
    hints: dict[str, Any] = {
        name: {"data_type": kind} for name, kind in job.source.options.columns.items()
    }
    if incremental and incremental.cursor.isidentifier():
        hints.setdefault(incremental.cursor, {})["dedup_sort"] = "desc"
    return hints


def _known_types(pipeline: Pipeline, table: str) -> Callable[[str], str | None]:
    if not pipeline.default_schema_name:
        return lambda _: None
    schema = pipeline.default_schema
    columns = schema.tables.get(table, {}).get("columns", {})

    def known(name: str) -> str | None:
        column = columns.get(schema.naming.normalize_identifier(name), {})
        kind = column.get("data_type")
        if kind == "decimal":
            return f"decimal({column.get('precision')},{column.get('scale')})"
        return kind

    return known


def _check_declared(job: Load, reading: Reading) -> None:
    for name, declared in job.source.options.columns.items():
        known = reading.known_type(name)
        if known and known != declared:
            raise OptionsError(
                f"the column `{name}` of `{job.target.label}` is {known}, not {declared}",
                help="take it out of `columns`, or load everything again with "
                "`orchestrate run --full-refresh`",
            )


def _check_rejects(job: Load) -> None:
    if job.tally.invalid and not job.tally.valid:
        raise RejectedError(
            f"none of {job.tally.invalid} records could be read",
            help="see the `record_skipped` events; nothing was loaded",
        )


def _write(job: Load, pipeline: Pipeline, connection: Any, records: int) -> Loaded:
    """Writes everything; the caller's transaction makes it lasting, or takes it back."""
    before = job.target.columns(connection)
    _make_room(job, connection)
    (load_id,) = pipeline.list_normalized_load_packages()
    sizes = _file_sizes(pipeline, load_id, job.target.table)
    pipeline.load(workers=1)
    written = job.target.facts(connection)
    if written is None:
        return Loaded(load_id=load_id, written=None)
    return Loaded(
        load_id=load_id,
        written=replace(
            written, records_written=records, files_written=len(sizes), total_bytes=sum(sizes)
        ),
        new_columns=_new_columns(before if job.last else (), written.columns),
    )


def _make_room(job: Load, connection: Any) -> None:
    """Removes what the new records take the place of, save where they are merged by key."""
    disposition = job.source.options.disposition
    if job.last is None:
        job.target.forget(connection, job.pipeline)
    elif disposition == "replace":
        job.target.clear(connection)
    elif disposition == "append" and job.plan.superseded:
        job.target.delete(connection, FILE_COLUMN, job.plan.superseded)


def _file_sizes(pipeline: Pipeline, load_id: str, table: str) -> list[int]:
    files = pipeline.get_load_package_info(load_id).jobs["new_jobs"]
    return [file.file_size for file in files if file.job_file_info.table_name == table]


def _new_columns(before: tuple[Column, ...], after: tuple[Column, ...]) -> tuple[Column, ...]:
    known = {column.name for column in before}
    return tuple(column for column in after if before and column.name not in known)
