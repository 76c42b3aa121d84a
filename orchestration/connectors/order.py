"""The order that a connector process reads from stdin: what to move, for whom, from where."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from orchestration.connectors.errors import OrderError
from orchestration.domain.job import ConnectorEnd
from orchestration.domain.records import (
    AssetSchema,
    Dedup,
    LetterFilter,
    RecordField,
    Replay,
    Stage,
    Validation,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One attempt of a connector job, with every reference resolved: it may hold secrets.

    Relative paths of options start from `working_directory`. `state_directory` is scratch space of
    this job alone. `attempt` counts from 1. With `replay`, dead letters take the place of the
    source.
    """

    job: str
    tenant: str
    name: str
    asset: str
    run_id: str
    attempt: int
    full_refresh: bool
    source: ConnectorEnd
    target: ConnectorEnd
    working_directory: Path
    state_directory: Path
    schema: AssetSchema | None = None
    dedup: Dedup | None = None
    replay: Replay | None = None


def parse_order(text: str) -> Order:
    """The order that `text`, one JSON object, says.

    Raises:
        OrderError: the text is no JSON object, or a field is missing or of the wrong type.
    """
    try:
        raw = json.loads(text)
        return _order(cast("Mapping[str, Any]", raw))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        cause = f"{type(error).__name__}: {error}"
        raise OrderError(
            f"stdin holds no order for a connector ({cause})",
            help="start connector jobs with `orchestrate run`, which writes the order",
        ) from error


def _order(raw: Mapping[str, Any]) -> Order:
    return Order(
        job=_text(raw, "job"),
        tenant=_text(raw, "tenant"),
        name=_text(raw, "name"),
        asset=_text(raw, "asset"),
        run_id=_text(raw, "run_id"),
        attempt=int(raw["attempt"]),
        full_refresh=bool(raw.get("full_refresh", False)),
        source=_end(raw["source"]),
        target=_end(raw["target"]),
        working_directory=Path(_text(raw, "working_directory")),
        state_directory=Path(_text(raw, "state_directory")),
        schema=_schema(raw["schema"]) if raw.get("schema") else None,
        dedup=_dedup(raw["dedup"]) if raw.get("dedup") else None,
        replay=_replay(raw["replay"]) if raw.get("replay") else None,
    )


def _schema(raw: Mapping[str, Any]) -> AssetSchema:
    return AssetSchema(
        fields=tuple(RecordField(**field) for field in raw["fields"]),
        validation=Validation(raw["validation"]),
        file=raw["file"],
    )


def _dedup(raw: Mapping[str, Any]) -> Dedup:
    return Dedup(
        key=tuple(raw["key"]),
        within=timedelta(seconds=raw["within_seconds"]),
        max_keys=raw["max_keys"],
    )


def _replay(raw: Mapping[str, Any]) -> Replay:
    stage = Stage(raw["stage"]) if raw["stage"] else None
    wanted = LetterFilter(id=raw["id"], run=raw["run"], stage=stage, limit=raw["limit"])
    return Replay(wanted=wanted, dry_run=raw["dry_run"])


def _end(raw: Mapping[str, Any]) -> ConnectorEnd:
    return ConnectorEnd(connector=_text(raw, "connector"), options=dict(raw.get("options", {})))


def _text(raw: Mapping[str, Any], key: str) -> str:
    value = raw[key]
    if not isinstance(value, str) or not value:
        message = f"`{key}` is not a text"
        raise ValueError(message)
    return value
