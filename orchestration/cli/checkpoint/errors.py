"""Errors of `orchestrate checkpoint`: ORC668 and ORC669."""

from __future__ import annotations

from orchestration.errors import OrchestrationError


class NoCheckpointError(OrchestrationError):
    """The job has no checkpoint, or not the version that was asked for."""

    code = "ORC668"


class ConnectorCheckpointError(OrchestrationError):
    """A connector job was named, whose state is in its target."""

    code = "ORC669"
