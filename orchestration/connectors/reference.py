"""The page `docs/reference/connectors.md`, made from the option models themselves.

`python -m orchestration.connectors.reference > docs/reference/connectors.md` writes it anew.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from orchestration.connectors.options import SourceOptions
from orchestration.connectors.registry import SOURCES, TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestration.connectors.registry import Connector

    Schema = dict[str, Any]

_HEAD = """\
# Connectors

<!-- Made by `python -m orchestration.connectors.reference`; do not edit. -->

A connector job names a source and a target and gives each its options:

```yaml
source_connector: csv
source:
  path: data/airports.csv
  primary_key: iata
target_connector: duckdb
target:
  path: warehouse/acme.duckdb
```

Every option may hold `${NAME}` or `${NAME:-default}`, resolved when the job runs. Secrets belong
into such references.

## How records reach the table

| `write_disposition` | a file that is new | a file that changed | records of a database or an API |
| --- | --- | --- | --- |
| `append` | its records are added | its records replace those that it brought before | those after the last cursor value are added |
| `merge` | its records are merged by `primary_key` | likewise | likewise |
| `replace` | all files are read again and become the table | likewise | all are read; if any of them changed, they become the table |

By default it is `merge` with a `primary_key`; else `append` for files and where there is a cursor
(`incremental`); else `replace`. What would double records or lose some is refused: `append`
without a cursor, `replace` with one, `merge` without a key, `lag` without a key. If a file holds
one key twice, one of the two records is kept; with a cursor, the later one.

**A source that did not change loads nothing.** For files, that includes SQLite, it is found out by
size and time of modification, then by content, without reading a record and without starting dlt.
An API is asked, and its records compared with those of the last load.

**One load is one transaction.** Rows, new columns and what the job remembers are committed
together: a run that is killed, at whatever moment, has changed nothing, and the next one does its
work. What a job remembers lies in the target, not on the machine that runs it.

Other options (a delimiter, a query, a null value) read the source again, with the same table; only
the options `path`, credentials, headers and limits of time do not. With a cursor, what was loaded
stays and the new options hold from now on.

`orchestrate run --full-refresh` drops the table and all that is remembered, and loads everything;
until that is committed, the old table stays. It is needed, and asked for, when the primary key, the
cursor, the write disposition or a declared type changes. A table that another job or a person made is never
touched without it.

### Cursors

With `incremental: {cursor: updated_at}` each run asks for the records whose cursor is at or after
the last value that was loaded. Those at that very value that were loaded already are left out: by
`primary_key`, or without one by their content. `lag` goes further back, for records that come late.
A record without a cursor value fails the run.

### Records that are rejected

A broken line of a CSV or JSON Lines file, and one without a value for the primary key, is set aside
and reported (`record_skipped`: file, line, reason, and nothing of the data); the others are
loaded and the run ends as a partial success, with exit code 1. It stays one until the file is
mended, or its dead letters are replayed or dropped. A run in which no record could be read fails
instead, and changes nothing.

With `asset_path`, records are held to an asset definition too. `schema_validation_mode: strict`
commits nothing if one is rejected, `warn` sets it aside; with `warn` a run whose records all break
the definition ends as a partial success and goes on behind them.

| `type` | values of a source that knows types | texts of a CSV file |
| --- | --- | --- |
| `string` | texts | all |
| `integer` | whole numbers of 64 bits, `3.0` too | `5`, not `05` |
| `number` | all numbers | `1.5`, `1e5` |
| `boolean` | true and false, 0 and 1 | `true`, `False` |
| `date` | dates, texts such as `2026-01-31` | `2026-01-31` |
| `timestamp` | timestamps, texts such as `2026-01-31T10:00:00Z` | the same; the zone may be missing |
| `time` | times, texts such as `10:00` | `10:00` |
| `binary` | bytes, texts in base64 | base64 |
| `object`, `array` | objects, lists | JSON |

The definition decides the type of a column that the table does not have yet, unless `columns` does;
`time` and `binary` leave it as it comes. A column that the table has already keeps its type: if that
is no type for the field, the run fails and says so. A column of whole numbers is one for `number`; what
does not fit it goes to a column of its own, as described below.

**Dead letters** lie in the target, committed with the rows: schema `<tenant>_dead_letters`, a table
named after the job. `orchestrate dlq` lists, shows, replays and drops them.

| column | meaning |
| --- | --- |
| `id` | the same for the same record of the same file in each run |
| `job` | whose it is |
| `stage`, `reason` | where it was rejected, `read` or `validate`, and why |
| `run_id`, `attempt` | who rejected it last |
| `file`, `position` | its line in that file; without a file, its number among the records of the run |
| `first_seen`, `last_seen`, `failures` | when it was rejected first and last, and how often |
| `record` | the record as JSON: an object, or the text that could not be read; at most 256 KiB. Of a CSV file the texts as they stand there |
| `types`, `header`, `key`, `truncated`, `load_id`, `source_load` | what a replay needs to know |

No `dataset` and no file has a name that ends in `_dead_letters`.

Letters are replaced when what they came from is read again: those of a file with the file, all of them with a source
that is read as a whole and with `--full-refresh`. A rejected record moves a cursor like any other, so
its letter is all there is of it until it is replayed. A record that is rejected adds no column to
the table.

Where records are merged by `primary_key`, a letter goes when a later run loads a record with its
key. A replay drops a letter too if another letter with its key is newer; this it counts in
`records_outdated`. If a row with its key may be newer, since a later run or a replay has loaded it, or
one and the same run from the same file or a later one, the letter goes back, unless it is asked for by
its id. Keys are compared in the types of their columns. Letters are replayed in the order
in which they were seen last, so those that went back come last. One whose record was cut off stays.

### Records that came before

With `dedup: {key: [event_id], within: 24h, max_keys: 1000000}` a record is dropped if one with the
same values in `key` was committed within that time, among the last `max_keys` that were, or came
earlier in the same run. The keys lie in the target, in `_seen_<table>`, as hashes of 128 bits, and are
committed with the rows. A file that is read again, and a source that is read as a whole, is not
held against what it brought before. When a file changes whose rows are replaced, the files of which
records were dropped because of it are read again with it: what it has no more may stand there. A
file that is gone by then cannot be. Keys are forgotten with `--full-refresh`, when another `key` is
given, and by the first load without `dedup`.

### Types

JSON and SQLite bring types along; Parquet files keep theirs. CSV and JSON Lines files whose names
end in `.gz` are unpacked. The columns of CSV files get the
narrowest of `bigint`, `double`, `bool`, `date`, `timestamp` and `text` that keeps every value of
all files of the first load as it is; `columns` overrides it. A number with a leading zero stays a text.
A timestamp without a zone is taken as UTC. Lists and objects become JSON. A value that does not
fit the type of its column later is not lost: it goes to a column of its own (`size__v_text`), and a
`schema_changed` event says so. Names become snake case.

The column `_source_file` names the file that a row came from; columns that start with `_dlt_`
belong to dlt.
"""
_TAIL = """\
## Exit codes and errors

| code | meaning |
| --- | --- |
| 0 | everything is loaded, or nothing was new |
| 1 | some records were rejected and are dead letters, the others are loaded |
| 2 | nothing was changed; the last lines of stderr say why |

`ORC610` the source, `ORC611` the target, `ORC612` the target is locked by another process (retry),
`ORC613` the options, `ORC615` no record that could be read, `ORC617` a record that a `strict` job does
not take. With `ORCHESTRATE_DEBUG=1` in the `env` of the
job, tracebacks follow.
"""


def render_reference() -> str:
    """The text of the page."""
    lines = [_HEAD, "## Sources", "", "Every source takes:", ""]
    lines += _table(SourceOptions.model_json_schema(), frozenset())
    for name, connector in SOURCES.items():
        lines += _connector(name, connector, known=frozenset(SourceOptions.model_fields))
    lines += ["## Targets", ""]
    for name, connector in TARGETS.items():
        lines += _connector(name, connector, known=frozenset())
    return "\n".join([*lines, _TAIL])


def _connector(name: str, connector: Connector, known: frozenset[str]) -> Iterator[str]:
    schema = connector.options_model().model_json_schema()
    yield from (f"### `{name}`", "", str(connector.load().__doc__), "")
    yield from _table(schema, known)
    for option, field in schema["properties"].items():
        parts = list(_parts(field, schema.get("$defs", {})))
        if parts:
            yield from (f"`{option}`:", "")
            yield from _nested_table(parts)


def _parts(field: Schema, definitions: Schema) -> Iterator[Schema]:
    """The models that an option may be, none for a plain value."""
    for variant in (field, *field.get("anyOf", []), *field.get("oneOf", [])):
        if "$ref" in variant:
            yield definitions[variant["$ref"].rpartition("/")[2]]
        elif variant is not field and "oneOf" in variant:
            yield from _parts(variant, definitions)


def _table(schema: Schema, known: frozenset[str]) -> Iterator[str]:
    yield "| option | type | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for name, field in schema["properties"].items():
        if name not in known:
            yield f"| {_row(schema, name, field)} |"
    yield ""


def _nested_table(parts: list[Schema]) -> Iterator[str]:
    """The options of nested models; where there are several, each is chosen by its `kind`."""
    if len(parts) == 1:
        yield from _table(parts[0], frozenset())
        return
    yield "| kind | option | type | default | meaning |"
    yield "| --- | --- | --- | --- | --- |"
    for part in parts:
        options = dict(part["properties"])
        kind = options.pop("kind")["const"]
        for name, field in options.items():
            yield f"| `{kind}` | {_row(part, name, field)} |"
    yield ""


def _row(schema: Schema, name: str, field: Schema) -> str:
    default = field.get("default")
    if name in schema.get("required", []):
        shown = "required"
    elif default in (None, [], {}):
        shown = ""
    else:
        shown = f"`{default if isinstance(default, str) else json.dumps(default)}`"
    return f"`{name}` | {_type(field)} | {shown} | {field['description']}"


def _type(field: Schema) -> str:
    variants = field.get("anyOf") or field.get("oneOf")
    if variants:
        kinds = [_type(each) for each in variants if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "items" in field:
        return f"list of {_type(field['items'])}s"
    if "additionalProperties" in field:
        return f"map: name to {_type(field['additionalProperties'])}"
    return _WORDS.get(field.get("type", ""), "map, see below")


_WORDS: Mapping[str, str] = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "yes or no",
}

if __name__ == "__main__":
    sys.stdout.write(render_reference())
