"""One load with dlt: extract, normalize, and commit everything in one transaction."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import dlt
from dlt.extract.items_transform import ItemTransform
from dlt.pipeline.exceptions import PipelineStepFailed

from orchestration.connectors.checkpoint import CHECKPOINT, RESOURCE, checkpoint_to_json
from orchestration.connectors.dead_letters import Gone, Spool
from orchestration.connectors.dedup import Window
from orchestration.connectors.dlt_context import confine
from orchestration.connectors.dlt_failures import unwrap
from orchestration.connectors.errors import OptionsError, RejectedError, SchemaError
from orchestration.connectors.names import FILE_COLUMN
from orchestration.connectors.replay import LetterSource
from orchestration.connectors.schema import COLUMN_TYPES, accepts_column
from orchestration.connectors.sieve import Rules, Sieve
from orchestration.connectors.source import Reading
from orchestration.connectors.target import key_columns
from orchestration.domain.records import Validation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dlt.pipeline.pipeline import Pipeline

    from orchestration.connectors.checkpoint import Checkpoint, Method
    from orchestration.connectors.dead_letters import Stamp
    from orchestration.connectors.events import Column, Emitter, Tally, Written
    from orchestration.connectors.source import Plan, Source
    from orchestration.connectors.target import Target
    from orchestration.domain.records import AssetSchema, Dedup


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Everything that one load needs to know.

    `last` is the checkpoint to go on from; without it the load starts over, and the table with all
    that is remembered of it is replaced. `scratch` is a folder of this job alone. A rehearsal ends
    before anything is written.
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
    stamp: Stamp
    schema: AssetSchema | None = None
    dedup: Dedup | None = None
    is_rehearsal: bool = False

    @property
    def is_replay(self) -> bool:
        """Whether dead letters are loaded, beside what the job remembers of its source."""
        return isinstance(self.source, LetterSource)

    @property
    def is_strict(self) -> bool:
        """Whether one record that is rejected fails the load."""
        strict = self.schema is not None and self.schema.validation is Validation.STRICT
        return strict and not self.is_replay

    @property
    def gone(self) -> Gone:
        """What of dead letters and known keys becomes obsolete, by the plan."""
        everything = self.last is None or self.plan.whole
        return Gone(everything=everything, files=tuple(file.name for file in self.plan.to_read))


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a load did. `written` is None if the table was never made, for want of records;
    `new_columns` were added to a table that was there before. `load_id` is dlt's name for it, empty
    where only dead letters were written.
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
        with closing(Spool(job.scratch / "rejects.jsonl")) as spool:
            return _load(job, spool)
    except PipelineStepFailed as error:
        failure = unwrap(error)
    finally:
        shutil.rmtree(job.scratch, ignore_errors=True)
    raise failure


def _load(job: Load, spool: Spool) -> Loaded | None:
    connections: list[Any] = []
    pipeline = dlt.pipeline(
        job.pipeline,
        pipelines_dir=str(job.scratch),
        destination=job.target.destination(lambda: connections[-1]),
        dataset_name=job.target.dataset,
    )
    known_keys: list[tuple[bytes, str | None]] = []
    if job.last is not None:
        with job.target.reading() as connection:
            connections.append(connection)
            pipeline.sync_destination()
            if job.dedup:
                seen = job.target.seen
                known_keys = seen.read(connection, job.dedup, job.gone, job.stamp.now)
    reading = _make_reading(job, pipeline, spool, known_keys)
    pipeline.extract(_resource(job, reading), loader_file_format="parquet")
    _check_rejects(job)
    same = job.last and reading.digest and reading.digest == job.last.digest
    if same or job.is_rehearsal:
        return None
    normalized = pipeline.normalize()
    packages = pipeline.list_normalized_load_packages()
    gone = job.gone
    if isinstance(job.source, LetterSource):
        gone = replace(gone, letters=tuple(job.source.taken))
    if not (packages or len(reading.spool) or gone.letters):
        return None
    records = normalized.row_counts.get(job.target.table, 0)
    with job.target.transaction() as connection:
        connections.append(connection)
        if packages:
            loaded = _write(job, pipeline, connection, records)
        else:
            loaded = Loaded(load_id="", written=job.target.facts(connection))
        _settle(job, gone, connection, reading, loaded)
        return loaded


def _make_reading(
    job: Load, pipeline: Pipeline, spool: Spool, known_keys: list[tuple[bytes, str | None]]
) -> Reading:
    known_type = _known_types(pipeline, job.target.table)
    _check_declared(job, known_type)
    settled = job.source.options.columns
    wanted = {
        field.name: COLUMN_TYPES[field.type]
        for field in (job.schema.fields if job.schema else ())
        if field.type in COLUMN_TYPES and not (settled.get(field.name) or known_type(field.name))
    }
    return Reading(
        tally=job.tally,
        emitter=job.emitter,
        known_type=known_type,
        name_in_table=partial(_name_in_table, pipeline),
        wanted_types=wanted,
        spool=spool,
        window=Window(known_keys, job.dedup.max_keys) if job.dedup else None,
    )


def _resource(job: Load, reading: Reading) -> Any:
    """The dlt resource that yields the records of the source and then sets the checkpoint."""
    options = job.source.options
    incremental = getattr(options, "incremental", None)
    dlt_cursor = None if job.is_replay else _incremental(incremental)

    def records(cursor: Any = dlt_cursor) -> Iterator[Any]:
        reading.start = cursor.last_value if cursor else None
        yield from job.source.read(job.plan, reading)
        checkpoint = job.source.checkpoint(job.plan, reading, job.method)
        table = job.target.table if job.tally.kept else job.last and job.last.table
        remembered = checkpoint_to_json(replace(checkpoint, table=table))
        dlt.current.resource_state(RESOURCE)[CHECKPOINT] = remembered

    make: Any = dlt.resource  # its overloads do not foresee options that are computed
    resource = make(
        records,
        name=RESOURCE,
        table_name=job.target.table,
        max_table_nesting=0,
        write_disposition=_dlt_disposition(job),
        primary_key=options.keys or None,
        columns=_hints(job, incremental, reading),
    )
    if job.schema or job.dedup:
        rules = Rules(schema=job.schema, strict=job.is_strict, dedup=job.dedup)
        resource.add_step(_Sift(Sieve(rules, reading, job.source.form)))
    return resource


class _Sift(ItemTransform[Any, Any]):
    """The sieve as a step of dlt, behind the one that leaves out what the cursor has passed: what
    is rejected moves the cursor too.
    """

    placement_affinity = 1.05

    def __init__(self, sieve: Sieve) -> None:
        super().__init__(sieve.sift)

    def __call__(self, item: Any, meta: Any = None) -> Any:
        del meta
        return None if item is None else self._f(item)


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


def _hints(job: Load, incremental: Any, reading: Reading) -> dict[str, Any]:
    """Declared types; and of two records with one key, the one with the later cursor wins."""
    types = {**reading.wanted_types, **job.source.options.columns}
    hints: dict[str, Any] = {name: {"data_type": kind} for name, kind in types.items()}
    if incremental and incremental.cursor.isidentifier():
        hints.setdefault(incremental.cursor, {})["dedup_sort"] = "desc"
    return hints


def _name_in_table(pipeline: Pipeline, name: str) -> str:
    """Asked only after dlt has made its schema, or has found it in the target."""
    return pipeline.default_schema.naming.normalize_identifier(name)


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


def _check_declared(job: Load, known_type: Callable[[str], str | None]) -> None:
    declared_types = job.source.options.columns
    for field in job.schema.fields if job.schema else ():
        column = declared_types.get(field.name) or known_type(field.name)
        if column and not accepts_column(field, column):
            raise OptionsError(
                f"the column `{field.name}` of `{job.target.label}` is {column}, which does not "
                f"hold every {field.type}",
                help="correct its type in the definition or in `columns`, or load everything again "
                "with `orchestrate run --full-refresh`",
            )
    for name, declared in declared_types.items():
        known = known_type(name)
        if known and known != declared:
            raise OptionsError(
                f"the column `{name}` of `{job.target.label}` is {known}, not {declared}",
                help="take it out of `columns`, or load everything again with "
                "`orchestrate run --full-refresh`",
            )


def _check_rejects(job: Load) -> None:
    tally = job.tally
    unreadable = tally.invalid - tally.broken
    if job.is_replay or not unreadable:
        return
    if unreadable == tally.extracted:
        raise RejectedError(
            f"none of {unreadable} records could be read",
            help="see the `record_skipped` events; nothing was loaded",
        )
    if job.is_strict:
        raise SchemaError(
            f"{unreadable:,} of {tally.extracted:,} records could not be read",
            help="see the `record_skipped` events; nothing was loaded. Correct the source, or let "
            "`schema_validation_mode: warn` set such records aside as dead letters",
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
    if job.is_replay:
        return
    if job.last is None:
        job.target.forget(connection, job.pipeline)
    elif disposition == "replace":
        job.target.clear(connection)
    elif disposition == "append" and job.plan.superseded:
        job.target.delete(connection, FILE_COLUMN, job.plan.superseded)


def _settle(
    job: Load,
    gone: Gone,
    connection: Any,
    reading: Reading,
    loaded: Loaded,
) -> None:
    """What else belongs into the transaction: dead letters, known keys, descriptions."""
    _settle_letters(job, gone, connection, reading, loaded)
    if job.dedup and reading.window:
        fresh, now = reading.window.fresh, job.stamp.now
        job.target.seen.write(connection, fresh, job.dedup, gone, now)
    else:
        job.target.seen.forget(connection)
    fields = job.schema.fields if job.schema else ()
    comments = {reading.name_in_table(field.name): field.description for field in fields}
    if any(comments.values()) and loaded.written:
        job.target.describe(connection, {name: text for name, text in comments.items() if text})


def _settle_letters(
    job: Load, gone: Gone, connection: Any, reading: Reading, loaded: Loaded
) -> None:
    letters, options = job.target.letters, job.source.options
    has_letters = letters.exists(connection)
    is_newer = loaded.load_id and loaded.written and not job.is_replay
    if has_letters or len(reading.spool):
        # dlt's loads are named after the second in which they began
        source_load = loaded.load_id or str(job.stamp.now.timestamp())
        brought_by = None if job.is_replay else source_load
        letters.replace(connection, reading.spool.batches(), gone, job.stamp, brought_by)
    if has_letters and is_newer and options.disposition == "merge":
        columns = key_columns(job.target, connection, map(reading.name_in_table, options.keys))
        letters.outdate(connection, job.target.rows(loaded.load_id), columns, job.stamp)


def _file_sizes(pipeline: Pipeline, load_id: str, table: str) -> list[int]:
    files = pipeline.get_load_package_info(load_id).jobs["new_jobs"]
    return [file.file_size for file in files if file.job_file_info.table_name == table]


def _new_columns(before: tuple[Column, ...], after: tuple[Column, ...]) -> tuple[Column, ...]:
    known = {column.name for column in before}
    return tuple(column for column in after if before and column.name not in known)
