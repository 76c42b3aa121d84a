"""The limits in the words of runner.yaml."""

from __future__ import annotations

from typing import Final

_PREFIX: Final = ".dagster/orchestration/"


def describe_slot(key: str) -> str:
    """`tenant acme`, `job acme/orders` or `connector stripe`, of the tag key of a limit."""
    kind, _, name = key.removeprefix(_PREFIX).partition("/")
    return f"{kind} {name}" if key.startswith(_PREFIX) else f"tag {key}"
