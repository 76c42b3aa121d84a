"""Errors of `orchestrate retry`: ORC660 and ORC661."""

from __future__ import annotations

from orchestration.errors import OrchestrationError


class NoRetryWaitsError(OrchestrationError):
    """Neither a run with that id nor one of that job waits for a retry."""

    code = "ORC660"


class AmbiguousRunError(OrchestrationError):
    """Several runs that wait for a retry have ids that begin so."""

    code = "ORC661"
