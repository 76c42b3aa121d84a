"""What the loader needs to know of the connectors that are installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from pydantic import BaseModel

Role = Literal["source", "target"]


class ConnectorCatalog(Protocol):
    """The connectors of an installation, by role and name."""

    def names(self, role: Role) -> frozenset[str]:
        """The names of the connectors that can take a role."""
        ...

    def options_model(self, role: Role, name: str) -> type[BaseModel] | None:
        """The model of a connector's options; None for one that is not installed."""
        ...


class _EmptyCatalog:
    def names(self, role: Role) -> frozenset[str]:  # noqa: ARG002 - the protocol's signature
        return frozenset()

    def options_model(self, role: Role, name: str) -> type[BaseModel] | None:  # noqa: ARG002 - as above
        return None


EMPTY_CATALOG: ConnectorCatalog = _EmptyCatalog()
"""An installation without connectors."""
