"""The reference pages of the files and of the problems, as Markdown: generated, never edited."""

from __future__ import annotations

import inspect
import json
from string import Formatter
from typing import TYPE_CHECKING

from orchestration import errors
from orchestration.config.catalogue import CATALOGUE
from orchestration.config.fields import DURATION_PATTERN
from orchestration.config.job_file import INACTIVE_FIELDS
from orchestration.config.runner_file import INACTIVE_RUNNER_FIELDS
from orchestration.config.schema import REFERENCE, Schema, render_schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from orchestration.config.catalog import ConnectorCatalog
    from orchestration.config.rules import Rule

_GENERATED = "<!-- Generated from the models of the files; a test holds it up to date. -->"
_RUNNER_INTRODUCTION = """\
One `runner.yaml` describes a workspace: the folder that it lies in, with all job files below. It
is found as `--runner PATH`, else by the variable `ORCHESTRATE_RUNNER`, else in the current folder.

```yaml
# yaml-language-server: $schema=orchestration/config/schemas/runner.json
runner:
  orchestrator:
    schedules:
      - name: orders_hourly
        config: jobs/acme/orders.yaml
        cron: "0 * * * *"
        timezone: Europe/Berlin
      - name: users_every_ninety_minutes
        config: jobs/globex/users.yaml
        interval_seconds: 5400
        start: 2026-01-31
      - name: reports_after_orders
        config: jobs/initech/reports.yaml
        on_asset: acme/orders
        priority: high
  tenants:
    acme: {concurrency: 2, secrets: {provider: env, prefix: ACME_}}
  connectors:
    sqlite: {concurrency: 4}
```

A mistake in one schedule costs that schedule only, and while it stands, the last version of the
schedule that was right stays in force. A mistake anywhere else keeps the last good version of the
whole file in force. A change of `enabled` is in force at the next tick, without a reload.
"""
_JOB_INTRODUCTION = """\
One file describes one job: the data of one asset for one tenant, and what moves it, which is
either a program of yours (`command`) or a pair of connectors.

```yaml
# yaml-language-server: $schema=../../orchestration/config/schemas/job.json
tenant_id: acme
source_connector: csv
source: {path: data/orders.csv}
target_connector: duckdb
target: {path: warehouse.duckdb}
asset: orders
retry_config: {max_retries: 3}
```

## Which files are jobs

Every `*.yaml` and `*.yml` file below `jobs/` is a job, and so is each file that a schedule names in
`config`. Hidden files and folders are skipped, and so are folders named `data`, for YAML that is no
job. The tenant of a file `jobs/<tenant>/...` is that folder, unless `tenant_id` says otherwise.

A file with errors takes nothing else down: the job stays visible with its problems, and if the file
was right before, that last good version of the job keeps running until the file is corrected.

## Variables

`${NAME}` and `${NAME:-default}` stand for environment variables; `$${` is a literal `${`. In
`command`, `env`, `source` and `target` they are resolved when the job runs, in the process that
needs them. Everywhere else they are resolved when the files are loaded.

## Paths

Relative paths start from the folder of `runner.yaml` and may not leave it, also not through
symbolic links. A path `/app/...` that does not exist means the same path in that folder, so that
one file serves the container and the laptop.

## YAML

Files are UTF-8 and hold one document. Refused are duplicate keys, tags (`!include`), and scalars
that YAML 1.1 and 1.2 read differently: `yes`, `no`, `on`, `off`, `010`, `1:30`, `1_000`, dates
without quotes (but for `start`, `end` and `once` of a schedule). Anchors, aliases and merge keys
(`<<`) work.
"""
_PROBLEM_INTRODUCTION = """\
`orchestrate validate` reports these problems, all at once, each with its place, its cause and its
cure. Codes are stable. With `--strict`, warnings fail too. Errors of commands, ORC6xx, follow at
the end.
"""
_UNTOLD = ({"type": "null"}, REFERENCE)
_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true`, `false`",
    "object": "mapping",
    "array": "list",
}
_GROUPS = {
    "ORC0": "The YAML itself",
    "ORC1": "The fields of one file",
    "ORC2": "Several files",
    "ORC3": "Variables and secrets",
    "ORC4": "Time",
    "ORC5": "Accepted, without effect",
}


def render_runner_reference(catalog: ConnectorCatalog) -> str:
    """The page of runner.yaml."""
    schema = render_schema("runner", catalog)
    model = schema["definitions"]["Runner"]
    sections = _render_mapping(schema, model, "runner", hidden=INACTIVE_RUNNER_FIELDS)
    return _join("# runner.yaml", _GENERATED, _RUNNER_INTRODUCTION, *sections)


def render_job_reference(catalog: ConnectorCatalog) -> str:
    """The page of job files, with the options of the connectors in `catalog`."""
    schema = render_schema("job", catalog)
    sections = _render_mapping(schema, schema, "", hidden=INACTIVE_FIELDS)
    connectors = [
        section
        for key, model in schema["definitions"].items()
        if key.count(".") == 1
        for section in _render_mapping(schema, model, key.replace(".", ": ", 1))
    ]
    return _join("# Job files", _GENERATED, _JOB_INTRODUCTION, *sections, *connectors)


def render_problem_reference() -> str:
    """The page of problems, in the order of their codes."""
    parts = ["# Problems", _GENERATED, _PROBLEM_INTRODUCTION]
    for start, title in _GROUPS.items():
        parts.append(f"## {title}")
        parts += [_render_rule(rule) for rule in CATALOGUE if rule.code.startswith(start)]
    parts += ["## Commands", *(_render_error(error) for error in _find_errors())]
    return _join(*parts)


def _render_mapping(
    schema: Schema, model: Schema, path: str, hidden: Collection[str] = ()
) -> Iterator[str]:
    """The table of a mapping, those of the mappings inside of it, and what has no effect."""
    properties: dict[str, Schema] = model["properties"]
    shown = {key: value for key, value in properties.items() if key not in hidden}
    title = f"## {path}{_which(properties)}" if path else "## Keys"
    yield _join(title, model.get("description", ""), _table(shown, model.get("required", ())))
    for key, value in shown.items():
        for suffix, name in _references(value):
            inner = f"{path}.{key}{suffix}" if path else f"{key}{suffix}"
            yield from _render_mapping(schema, schema["definitions"][name], inner)
    if hidden:
        text = "Files that have these keys load. One warning a file names them."
        heading = f"## {path}: accepted, without effect" if path else "## Accepted, without effect"
        yield _join(heading, text, _table({key: properties[key] for key in hidden}, ()))


def _which(properties: dict[str, Schema]) -> str:
    """What tells this mapping from others that may stand in its place: ` (provider: env)`."""
    fixed = (f"{key}: {value['const']}" for key, value in properties.items() if "const" in value)
    return next((f" ({text})" for text in fixed), "")


def _table(properties: dict[str, Schema], required: Collection[str]) -> str:
    rows = [
        f"| `{key}` | {_type(value)} | {_default(key, value, required)} | {_meaning(value)} |"
        for key, value in properties.items()
    ]
    return "\n".join(["| key | type | default | meaning |", "| --- | --- | --- | --- |", *rows])


def _type(value: Schema) -> str:
    choices: list[object] = value.get("enum", [])
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    if "const" in value:
        return f"`{value['const']}`"
    if members := _members(value):
        return " or ".join(dict.fromkeys(_type(member) for member in members))
    if value.get("pattern") == DURATION_PATTERN:
        return "duration"
    return _collection_type(value) or _WORDS.get(value.get("type", ""), "anything")


def _collection_type(value: Schema) -> str:
    items: Schema | None = value.get("items")
    values: Schema | bool | None = value.get("additionalProperties")
    if "$ref" in value:
        return "mapping"
    if value.get("type") == "array" and items:
        return f"list of {_plural(_type(items))}"
    if value.get("type") == "object" and isinstance(values, dict):
        return f"mapping to {_plural(_type(values))}"
    return ""


def _members(value: Schema) -> list[Schema]:
    """What a value may be one of; that it may be left empty goes without saying."""
    members: list[Schema] = value.get("anyOf") or value.get("oneOf") or []
    return [member for member in members if member not in _UNTOLD]


def _plural(word: str) -> str:
    return word if "`" in word or word == "anything" else f"{word}s"


def _default(key: str, value: Schema, required: Collection[str]) -> str:
    if key in required:
        return "required"
    return f"`{json.dumps(value['default'])}`" if "default" in value else ""


def _meaning(value: Schema) -> str:
    return str(value.get("description", "")).replace("|", "\\|")


def _references(value: Schema, suffix: str = "") -> Iterator[tuple[str, str]]:
    """The mappings that a value may be or hold: how its path goes on, and its definition."""
    if "$ref" in value:
        yield suffix, str(value["$ref"]).removeprefix("#/definitions/")
    for member in _members(value):
        yield from _references(member, suffix)
    for key, step in (("items", "[]"), ("additionalProperties", ".<name>")):
        inner: Schema | bool | None = value.get(key)
        if isinstance(inner, dict):
            yield from _references(inner, f"{suffix}{step}")


def _render_rule(rule: Rule) -> str:
    values = {name: f"<{name}>" for _, name, _, _ in Formatter().parse(rule.message) if name}
    cures = {name: f"<{name}>" for _, name, _, _ in Formatter().parse(rule.help) if name}
    message = rule.message.format_map(values)
    lines = [f"    {rule.severity} {rule.code}: {message}"]
    if rule.help != "{cure}":
        lines.append(f"    help: {rule.help.format_map(cures)}")
    return _join(f"### {rule.code}: {rule.title}", rule.cause, "\n".join(lines))


def _find_errors() -> list[type[errors.OrchestrationError]]:
    found = [
        member
        for _, member in inspect.getmembers(errors, inspect.isclass)
        if issubclass(member, errors.OrchestrationError) and member is not errors.OrchestrationError
    ]
    return sorted(found, key=lambda error: error.code)


def _render_error(error: type[errors.OrchestrationError]) -> str:
    return _join(f"### {error.code}", inspect.cleandoc(error.__doc__ or ""))


def _join(*parts: str) -> str:
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"
