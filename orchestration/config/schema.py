"""JSON Schemas of the files, for editors: generated from the models and the connectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from orchestration.config.job_file import JobFile
from orchestration.config.runner_file import RunnerFile

if TYPE_CHECKING:
    from pydantic import BaseModel

    from orchestration.config.catalog import ConnectorCatalog, Role

Schema = dict[str, Any]
_DIALECT = "http://json-schema.org/draft-07/schema#"
REFERENCE = {"type": "string", "pattern": r"\$\{.+\}"}
"""What may stand for anything that is no text."""
_ROLES: tuple[Role, Role] = ("source", "target")


def render_schema(kind: Literal["runner", "job"], catalog: ConnectorCatalog) -> Schema:
    """The JSON Schema (draft 7, which editors know best) of runner.yaml or of a job file.

    That of a job file completes the options of the connectors in `catalog`.
    """
    model: type[BaseModel] = RunnerFile if kind == "runner" else JobFile
    schema = model.model_json_schema(ref_template="#/definitions/{model}")
    definitions: Schema = schema.pop("$defs", {})
    if kind == "job":
        schema["anyOf"] = [
            {"required": ["command"]},
            {"required": ["source_connector", "target_connector"]},
        ]
        for role in _ROLES:
            _add_connectors(schema, definitions, role, catalog)
    title = "runner.yaml" if kind == "runner" else "job file"
    rest = _finish({**schema, "definitions": definitions})
    return {"$schema": _DIALECT, "title": title, **rest}


def _add_connectors(
    schema: Schema, definitions: Schema, role: Role, catalog: ConnectorCatalog
) -> None:
    """Known names complete, others stay allowed; each name brings the options of its connector.

    As in the loader, options hold where both connectors are known and no command makes them labels.
    """
    names = sorted(catalog.names(role))
    other = _ROLES[1 - _ROLES.index(role)]
    known = {"properties": {f"{other}_connector": {"enum": sorted(catalog.names(other))}}}
    if not names:
        return
    connector: Schema = schema["properties"][f"{role}_connector"]
    connector["anyOf"] = [{"enum": names}, {"type": connector.pop("type")}]
    rules: list[Schema] = schema.setdefault("allOf", [])
    for name in names:
        model = catalog.options_model(role, name)
        if model is None:
            continue
        key = f"{role}.{name}"
        options = model.model_json_schema(ref_template=f"#/definitions/{key}.{{model}}")
        inner: Schema = options.pop("$defs", {})
        definitions.update({f"{key}.{part}": value for part, value in inner.items()})
        definitions[key] = options
        chosen: Schema = {"properties": {f"{role}_connector": {"const": name}}}
        condition: Schema = {
            "allOf": [chosen, known],
            "required": ["source_connector", "target_connector"],
            "not": {"required": ["command"]},
        }
        options_of = {"properties": {role: {"$ref": f"#/definitions/{key}"}}}
        rules.append({"if": condition, "then": options_of})


def _finish(schema: Schema) -> Schema:
    """The schema without titles and without defaults that mean "not given".

    What is no text may also be written as a reference.
    """
    kept = {key: _finish_value(item) for key, item in schema.items() if not _is_noise(key, item)}
    if kept.get("type") in ("integer", "number", "boolean"):
        outer = {key: kept.pop(key) for key in ("description", "default") if key in kept}
        return {**outer, "anyOf": [kept, REFERENCE]}
    return kept


def _finish_value(value: object) -> object:
    if isinstance(value, dict):
        return _finish(cast("Schema", value))
    if isinstance(value, list):
        return [_finish_value(item) for item in cast("list[object]", value)]
    return value


def _is_noise(key: str, item: object) -> bool:
    if key == "title":
        return isinstance(item, str)
    return key == "default" and item is not False and item in ("", 0, None, "PT0S", [], {})
