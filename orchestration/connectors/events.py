"""Events on stdout: one JSON object a line, as the contract of a connector process wants them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestration.connectors.order import Order
    from orchestration.domain.events import JsonValue

LISTED_REJECTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the target's table, with the type in the target's words."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What an attempt left in the target: rows in the table now, and what this attempt added."""

    table: str
    row_count: int
    columns: tuple[Column, ...]
    records_written: int = 0
    files_written: int = 0
    total_bytes: int = 0


@dataclass(slots=True, kw_only=True)
class Tally:
    """What is counted while an attempt runs. `invalid` records were rejected, of these `broken`
    ones since they break the schema; `earlier` ones in a run before this one, from files that have
    not changed since. `duplicates` came before and were dropped; None for a job without `dedup`.
    `outdated` are dead letters that were dropped, since the source has brought a newer record with
    their key; None where no letters are replayed.
    """

    extracted: int = 0
    invalid: int = 0
    broken: int = 0
    earlier: int = 0
    duplicates: int | None = None
    outdated: int | None = None
    files_read: int = 0
    files_unchanged: int = 0
    requests: Counter[str] = field(default_factory=Counter[str])

    @property
    def valid(self) -> int:
        """Records that were read and not rejected."""
        return self.extracted - self.invalid

    @property
    def kept(self) -> int:
        """Records that go to the target."""
        return self.valid - (self.duplicates or 0) - (self.outdated or 0)


class Emitter:
    """Writes events through `write`, which takes one line; texts go through `mask` first."""

    def __init__(
        self, write: Callable[[str], None], mask: Callable[[JsonValue], JsonValue]
    ) -> None:
        self._write = write
        self._mask = mask
        self._rejects = 0

    def emit(self, event_type: str, fields: Mapping[str, JsonValue]) -> None:
        """Writes one event."""
        event: dict[str, JsonValue] = {"event_type": event_type, **fields}
        self._write(json.dumps(self._mask(event), ensure_ascii=False))

    def rejected(self, file: str | None, number: int, reason: str) -> None:
        """Reports a rejected record, the first 1,000 of an attempt each by its line in the file;
        without a file, by its number among those that were read.
        """
        self._rejects += 1
        if self._rejects <= LISTED_REJECTS:
            where: dict[str, JsonValue] = {"file": file, "line": number}
            place = where if file else {"record": number}
            self.emit("record_skipped", {**place, "reason": reason})

    def rejected_unlisted(self) -> None:
        """Reports how many rejected records were too many to be listed, if there are any."""
        if self._rejects > LISTED_REJECTS:
            count = self._rejects - LISTED_REJECTS
            self.emit("record_skipped", {"reason": "not listed one by one", "records": count})

    def rejected_earlier(self, file: str, records: int) -> None:
        """Reports the rejects of a file that has not changed since it was loaded."""
        reason = "rejected when the file was loaded; the file has not changed since"
        self.emit("record_skipped", {"file": file, "reason": reason, "records": records})


def emit_requests(emitter: Emitter, tally: Tally) -> None:
    """Emits how many requests an API answered, by status; nothing if there were none."""
    if tally.requests:
        by_status: dict[str, JsonValue] = {**dict(sorted(tally.requests.items()))}
        emitter.emit("metrics_api", {"requests": tally.requests.total(), "by_status": by_status})


def emit_reading(emitter: Emitter, tally: Tally) -> None:
    """Emits what was read, and how much of it was good."""
    emitter.rejected_unlisted()
    emit_requests(emitter, tally)
    emitter.emit(
        "metrics_extraction",
        {
            "records_extracted": tally.extracted,
            "files_read": tally.files_read,
            "files_unchanged": tally.files_unchanged,
        },
    )
    emitter.emit(
        "metrics_validation",
        {
            "records_valid": tally.valid,
            "records_invalid": tally.invalid,
            **_dropped(tally),
            "validation_rate": round(tally.valid / tally.extracted, 6) if tally.extracted else 1.0,
        },
    )


def _dropped(tally: Tally) -> dict[str, JsonValue]:
    dropped = {"records_duplicate": tally.duplicates, "records_outdated": tally.outdated}
    return {name: count for name, count in dropped.items() if count is not None}


def emit_writing(emitter: Emitter, written: Written) -> None:
    """Emits what the target holds now."""
    emitter.emit(
        "metrics_writing",
        {
            "table": written.table,
            "row_count": written.row_count,
            "columns": _to_json(written.columns),
            "records_written": written.records_written,
            "files_written": written.files_written,
            "total_bytes": written.total_bytes,
        },
    )


def emit_new_columns(emitter: Emitter, table: str, columns: tuple[Column, ...]) -> None:
    """Emits that the table has columns that it did not have before."""
    emitter.emit("schema_changed", {"table": table, "new_columns": _to_json(columns)})


def _to_json(columns: tuple[Column, ...]) -> list[JsonValue]:
    return [{"name": column.name, "type": column.type} for column in columns]


def complete_fields(
    order: Order, status: str, seconds: float, tally: Tally, written: Written | None
) -> dict[str, JsonValue]:
    """The fields of the final `metrics_complete` event (004-16)."""
    return {
        "job_name": order.name,
        "tenant_id": order.tenant,
        "status": status,
        "execution_time_seconds": round(seconds, 3),
        "records_extracted": tally.extracted,
        "records_valid": tally.valid,
        "records_invalid": tally.invalid + tally.earlier,
        **_dropped(tally),
        "files_written": written.files_written if written else 0,
        "total_bytes": written.total_bytes if written else 0,
        "records_per_second": round(tally.extracted / seconds, 1) if seconds > 0 else 0.0,
    }
