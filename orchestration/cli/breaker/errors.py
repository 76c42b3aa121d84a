"""Errors of `orchestrate breaker`: ORC663 and ORC664."""

from __future__ import annotations

from orchestration.errors import OrchestrationError


class UnknownBreakerError(OrchestrationError):
    """No job of the tenant has a breaker for that connector."""

    code = "ORC663"
