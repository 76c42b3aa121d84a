"""What it costs to hold records to an asset definition, beside reading them at all."""

from __future__ import annotations

import json
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydantic import BaseModel, TypeAdapter
from timing import Section, seconds, times

from orchestration.connectors.schema import Checker
from orchestration.domain.records import RecordField

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS = 1_000_000
BATCH = 5_000
FIELDS = (
    RecordField(name="id", type="integer", required=True),
    RecordField(name="name", type="string", required=True),
    RecordField(name="amount", type="number"),
    RecordField(name="paid", type="boolean"),
    RecordField(name="note", type="string"),
    RecordField(name="tags", type="array"),
)


class Order(BaseModel, strict=True):
    id: int
    name: str
    amount: float | None = None
    paid: bool | None = None
    note: str | None = None
    tags: list[Any] | None = None


def measure() -> Section:
    lines = [json.dumps(_record(number)) for number in range(BATCH)]
    batch = [json.loads(line) for line in lines]
    table = pa.Table.from_pylist(batch)
    checker, model = Checker(FIELDS), TypeAdapter(list[Order])
    parsing = _time(lambda: [json.loads(line) for line in lines])
    records = _time(lambda: _expect_none(checker.check_records(batch)))
    tables = _time(lambda: _expect_none(checker.check_table(table)))
    peer = _time(lambda: model.validate_python(batch))
    return Section(
        title="Holding records to an asset definition",
        note=(
            f"{RECORDS:,} records of {len(FIELDS)} fields that are all right, in batches of "
            f"{BATCH:,}, in one process. `json.loads` is what it takes to read them from JSON Lines."
        ),
        header=("", "time", "times `json.loads`"),
        rows=[
            ("dictionaries (`jsonl`, `rest`, `sqlite`)", seconds(records), times(records, parsing)),
            ("Arrow tables (`csv`, `parquet`)", seconds(tables), times(tables, parsing)),
            ("a strict pydantic model", seconds(peer), times(peer, parsing)),
            ("`json.loads`", seconds(parsing), times(parsing, parsing)),
        ],
    )


def _record(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"customer {number}",
        "amount": number / 100,
        "paid": number % 2 == 0,
        "note": None if number % 3 else "a note",
        "tags": ["a", "b"],
    }


def _time(handle_batch: Callable[[], object]) -> float:
    start = perf_counter()
    for _ in range(RECORDS // BATCH):
        handle_batch()
    return perf_counter() - start


def _expect_none(faults: object) -> None:
    assert not faults, faults
