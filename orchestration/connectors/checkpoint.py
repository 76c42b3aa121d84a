"""What a job remembers between its runs; it is stored in the target, committed with the data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.connectors.options import SourceOptions
    from orchestration.domain.events import JsonValue


# Where it stands in dlt's state: sources / <pipeline> / resources / RESOURCE / CHECKPOINT.
RESOURCE = "records"
CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMark:
    """A file as it was when its records were loaded; `rejected` is how many were not. Records of it
    were dropped because files in `doubled` had brought them before.

    `modified_ns` is 0 where the time of modification proves nothing, because the file was written
    at the moment it was read: then only `digest` tells whether it changed.
    """

    size: int
    modified_ns: int
    digest: str
    rejected: int = 0
    doubled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How records reach the table: a change of it makes what was loaded before unusable."""

    connector: str
    write_disposition: str
    primary_key: tuple[str, ...] = ()
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How far a job has come.

    `shape` is that of the options with which it came there. `table` is the table that holds its
    records, None as long as there never was a record. `files`
    are the marks of loaded files by name. `digest` is that of all records, for a source that is
    always read whole.
    """

    method: Method
    shape: str
    table: str | None = None
    files: Mapping[str, FileMark] = field(default_factory=dict[str, FileMark])
    digest: str | None = None


def marks_of(checkpoint: Checkpoint | None) -> Mapping[str, FileMark]:
    """The marks of a checkpoint, none if there is no checkpoint."""
    return checkpoint.files if checkpoint else {}


def outdate(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint as if everything had changed since; what is known stays known."""
    unknown = FileMark(size=-1, modified_ns=0, digest="")
    return replace(checkpoint, digest=None, files=dict.fromkeys(checkpoint.files, unknown))


def method_of(connector: str, options: SourceOptions) -> Method:
    """The method that a source's options ask for."""
    incremental = getattr(options, "incremental", None)
    return Method(
        connector=connector,
        write_disposition=options.disposition,
        primary_key=options.keys,
        cursor=incremental.cursor if incremental else None,
    )


def differences(before: Method, now: Method) -> list[str]:
    """What changed between two methods, each as ``key `a` to `b` ``."""
    old, new = _method_to_json(before), _method_to_json(now)
    return [f"{key} `{old[key]}` to `{new[key]}`" for key in old if old[key] != new[key]]


def checkpoint_to_json(checkpoint: Checkpoint) -> dict[str, JsonValue]:
    """The checkpoint as JSON values; `parse_checkpoint` is the way back."""
    return {
        "method": _method_to_json(checkpoint.method),
        "shape": checkpoint.shape,
        "table": checkpoint.table,
        "digest": checkpoint.digest,
        "files": {
            name: [mark.size, mark.modified_ns, mark.digest, mark.rejected, *mark.doubled]
            for name, mark in sorted(checkpoint.files.items())
        },
    }


def parse_checkpoint(raw: Mapping[str, Any]) -> Checkpoint:
    """The checkpoint that `checkpoint_to_json` made `raw` of."""
    method = raw["method"]
    return Checkpoint(
        method=Method(
            connector=method["connector"],
            write_disposition=method["write_disposition"],
            primary_key=tuple(method["primary_key"]),
            cursor=method["cursor"],
        ),
        shape=raw["shape"],
        table=raw["table"],
        digest=raw["digest"],
        files={
            name: FileMark(
                size=size,
                modified_ns=modified,
                digest=digest,
                rejected=rejected,
                doubled=tuple(doubled),
            )
            for name, (size, modified, digest, rejected, *doubled) in raw["files"].items()
        },
    )


def _method_to_json(method: Method) -> dict[str, JsonValue]:
    return {
        "connector": method.connector,
        "write_disposition": method.write_disposition,
        "primary_key": list(method.primary_key),
        "cursor": method.cursor,
    }
