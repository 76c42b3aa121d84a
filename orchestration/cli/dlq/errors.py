"""Errors of `orchestrate dlq`: ORC670 to ORC674."""

from __future__ import annotations

from orchestration.errors import OrchestrationError


class NoLettersJobError(OrchestrationError):
    """A command job was named, which keeps its rejected records itself."""

    code = "ORC670"


class OtherTenantError(OrchestrationError):
    """A job was named together with a tenant whose job it is not."""

    code = "ORC671"


class UnknownLetterError(OrchestrationError):
    """No dead letter has the id that was asked for."""

    code = "ORC672"


class AmbiguousLetterError(OrchestrationError):
    """Several dead letters have an id that begins so."""

    code = "ORC673"


class UnconfirmedDropError(OrchestrationError):
    """Nobody is there to confirm that dead letters may be deleted."""

    code = "ORC674"
