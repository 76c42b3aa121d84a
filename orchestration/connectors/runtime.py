"""Carries out an order: what is there, what is new, load it, say what happened."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from orchestration.connectors.checkpoint import (
    CHECKPOINT,
    RESOURCE,
    differences,
    method_of,
    outdate,
    parse_checkpoint,
)
from orchestration.connectors.dead_letters import Stamp
from orchestration.connectors.errors import OptionsError
from orchestration.connectors.events import emit_new_columns, emit_reading, emit_writing
from orchestration.connectors.names import pipeline_name
from orchestration.connectors.registry import find_connector

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pydantic import BaseModel

    from orchestration.connectors.checkpoint import Checkpoint, Method
    from orchestration.connectors.events import Emitter, Tally, Written
    from orchestration.connectors.order import Order
    from orchestration.connectors.pipeline import Loaded
    from orchestration.connectors.registry import Role
    from orchestration.connectors.source import Plan, Source
    from orchestration.connectors.target import History, Target
    from orchestration.domain.job import ConnectorEnd
    from orchestration.domain.records import Replay


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The two ends of a job, with validated options."""

    source: Source
    target: Target
    method: Method


def make_ends(order: Order) -> tuple[Ends, tuple[BaseModel, BaseModel]]:
    """The two ends that the order names, and their options.

    Raises:
        ConnectorUnavailableError: there is no such connector.
        OptionsError: its options are wrong.
    """
    source, source_options = _connector("source", order.source)
    target, target_options = make_target(order)
    ends = Ends(
        source=source.source(source_options, order.working_directory),
        target=target,
        method=method_of(order.source.connector, source_options),
    )
    return ends, (source_options, target_options)


def make_target(order: Order) -> tuple[Target, BaseModel]:
    """The target that the order names, and its options; raises as `make_ends` does."""
    target, options = _connector("target", order.target)
    return target.target(options, order), options


def _connector(role: Role, end: ConnectorEnd) -> tuple[Any, Any]:
    connector = find_connector(role, end.connector)
    try:
        return connector.load(), connector.options_model().model_validate(dict(end.options))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join((role, *map(str, first["loc"])))
        raise OptionsError(
            f"`{where}`: {first['msg'].removeprefix('Value error, ')}",
            help=f"the options of `{end.connector}` stand in docs/reference/connectors.md",
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """An order under way; `tally` is what it counts, `now` the moment for which it counts."""

    order: Order
    ends: Ends
    emitter: Emitter
    tally: Tally
    now: datetime

    @property
    def pipeline(self) -> str:
        """The name under which dlt knows the job."""
        return pipeline_name(self.order.job)


def carry_out(run: Run) -> Written | None:
    """Brings the target up to date, and emits what was read and written.

    Returns what the table holds, None if there is no table for want of records.

    Raises:
        OrchestrationError: nothing was changed in the target.
    """
    history = run.ends.target.history(run.pipeline)
    if run.order.dedup:
        run.tally.duplicates = 0
    if run.order.replay:
        run.tally.outdated = 0
        return _report(run, _replay(run, history, run.order.replay))
    last = _start_from(run, history)
    plan = run.ends.source.plan(last)
    loaded = None if plan.nothing_new else _load(run, run.ends.source, plan, last)
    _note_unchanged(run, plan, history)
    return _report(run, loaded)


def _report(run: Run, loaded: Loaded | None) -> Written | None:
    written = loaded.written if loaded else run.ends.target.written()
    emit_reading(run.emitter, run.tally)
    if loaded and loaded.new_columns:
        emit_new_columns(run.emitter, run.ends.target.label, loaded.new_columns)
    if written:
        emit_writing(run.emitter, written)
    if loaded and loaded.load_id:
        run.emitter.emit("checkpoint_saved", {"load_id": loaded.load_id})
    return written


def _replay(run: Run, history: History, replay: Replay) -> Loaded | None:
    """Loads dead letters, which leave what the job remembers of its source as it is.

    Raises:
        OptionsError: the table is not as the job left it.
    """
    from orchestration.connectors.replay import LetterSource

    if not history.letters:
        return None
    target, last = run.ends.target, _checkpoint(history.state, run.pipeline)
    gone = last is None or (last.table and not history.table_exists)
    if last is None or gone or (last.table and last.table != target.table):
        raise OptionsError(
            f"`{target.label}` is not the table that the job has loaded",
            help="run the job first; what it reads again needs no replay",
        )
    _check_method(run, last)
    source = LetterSource(source=run.ends.source, target=target, wanted=replay.wanted, last=last)
    return _load(run, source, source.plan(last), last)


def _load(run: Run, source: Source, plan: Plan, last: Checkpoint | None) -> Loaded | None:
    from orchestration.connectors.pipeline import Load, load

    order = run.order
    return load(
        Load(
            pipeline=run.pipeline,
            source=source,
            plan=plan,
            target=run.ends.target,
            method=run.ends.method,
            last=last,
            scratch=order.state_directory / "load",
            tally=run.tally,
            emitter=run.emitter,
            stamp=Stamp(
                run_id=order.run_id, attempt=order.attempt, now=run.now, load=uuid.uuid4().hex
            ),
            schema=order.schema,
            dedup=order.dedup,
            is_rehearsal=order.replay is not None and order.replay.dry_run,
        )
    )


def _note_unchanged(run: Run, plan: Plan, history: History) -> None:
    """What was rejected before, of it what is still among the dead letters."""
    run.tally.files_unchanged = plan.unchanged
    letters = history.letters
    for file, rejected in plan.rejected_earlier.items():
        records = rejected if letters is None else min(rejected, letters.get(file, 0))
        if records:
            run.tally.earlier += records
            run.emitter.rejected_earlier(file, records)


def _start_from(run: Run, history: History) -> Checkpoint | None:
    """The checkpoint to go on from; None to start over with an empty table.

    Raises:
        OptionsError: going on would double records, or destroy what is not ours.
    """
    if run.order.full_refresh:
        return None
    last = _checkpoint(history.state, run.pipeline)
    target = run.ends.target
    if last is None or (last.table and last.table != target.table):
        if history.table_exists:
            raise OptionsError(
                f"the table `{target.label}` is there, but not from this job",
                help="name another `table`, or replace it with `orchestrate run --full-refresh`",
            )
        return None
    _check_method(run, last)
    if last.table and not history.table_exists:
        return None
    return last if last.shape == run.ends.source.options.shape else outdate(last)


def _check_method(run: Run, last: Checkpoint) -> None:
    changed = differences(last.method, run.ends.method)
    if changed:
        label = run.ends.target.label
        raise OptionsError(
            f"the job loaded `{label}` in another way: {', '.join(changed)}",
            help="load everything again with `orchestrate run --full-refresh`, or change it back",
        )


def _checkpoint(state: Mapping[str, Any] | None, name: str) -> Checkpoint | None:
    if state is None:
        return None
    resources = state.get("sources", {}).get(name, {}).get("resources", {})
    raw = resources.get(RESOURCE, {}).get(CHECKPOINT)
    return parse_checkpoint(raw) if raw else None
