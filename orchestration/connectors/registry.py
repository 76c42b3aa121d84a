"""The connectors there are: a name, the module behind it, and how the Dagster UI shows it.

Importing this module imports no connector, and no connector imports dlt before it moves data.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from orchestration.errors import ConnectorUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

Role = Literal["source", "target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """A connector. `options` is the name of its option model in `module`. `label` is for people;
    `kind` is the tag with which the Dagster UI finds an icon.
    """

    module: str
    options: str
    label: str
    kind: str

    def options_model(self) -> type[BaseModel]:
        """The model of its options."""
        return getattr(self.load(), self.options)

    def load(self) -> Any:
        """Its module."""
        return import_module(f"orchestration.connectors.{self.module}")


SOURCES: Mapping[str, Connector] = {
    "csv": Connector(module="sources.csv", options="CsvOptions", label="CSV", kind="csv"),
    "jsonl": Connector(module="sources.jsonl", options="JsonlOptions", label="JSON Lines", kind="json"),
    "parquet": Connector(module="sources.parquet", options="ParquetOptions", label="Parquet", kind="parquet"),
    "rest": Connector(module="sources.rest", options="RestOptions", label="REST", kind="json"),
    "sqlite": Connector(module="sources.sqlite", options="SqliteOptions", label="SQLite", kind="sqlite"),
}  # fmt: skip
TARGETS: Mapping[str, Connector] = {
    "duckdb": Connector(module="targets.duckdb", options="DuckdbOptions", label="DuckDB", kind="duckdb"),
}  # fmt: skip


class Catalog:
    """The connectors as `config` and the user interface ask for them."""

    def names(self, role: Role) -> frozenset[str]:
        """The names that `source_connector` or `target_connector` may have."""
        return frozenset(_connectors(role))

    def options_model(self, role: Role, name: str) -> type[BaseModel] | None:
        """The model of the connector's options, None if there is no such connector."""
        connector = _connectors(role).get(name)
        return connector.options_model() if connector else None

    def kind(self, role: Role, name: str) -> str | None:
        """The Dagster kind of the connector, None if there is no such connector."""
        connector = _connectors(role).get(name)
        return connector.kind if connector else None


CATALOG = Catalog()


def find_connector(role: Role, name: str) -> Connector:
    """The connector with that name.

    Raises:
        ConnectorUnavailableError: there is none.
    """
    connector = _connectors(role).get(name)
    if connector is None:
        raise ConnectorUnavailableError(
            f"there is no {role} connector `{name}`",
            help=f"the {role} connectors are {', '.join(sorted(_connectors(role)))}",
        )
    return connector


def _connectors(role: Role) -> Mapping[str, Connector]:
    return SOURCES if role == "source" else TARGETS
