"""What an error of dlt means, under the layers that it wraps around the cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
from dlt.extract.incremental.exceptions import (
    IncrementalCursorInvalidCoercion,
    IncrementalCursorPathHasValueNone,
    IncrementalCursorPathMissing,
)

from orchestration.connectors.errors import SourceError, TargetError, UnexpectedError
from orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dlt.pipeline.exceptions import PipelineStepFailed


def unwrap(error: PipelineStepFailed) -> OrchestrationError:
    """Our own error among the causes, else ours for the first cause that we know."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, OrchestrationError):
            return cause
        explained = _explained(cause)
        if explained:
            explained.__cause__ = cause
            return explained
    innermost = causes[-1]
    summary = f"{type(innermost).__name__}: {innermost}".partition("\n")[0]
    unexpected = UnexpectedError(summary, help="set ORCHESTRATE_DEBUG=1 for the whole story")
    unexpected.__cause__ = innermost
    return unexpected


def _explained(cause: BaseException) -> OrchestrationError | None:
    """Our error for one of dlt's or DuckDB's; it quotes no data."""
    match cause:
        case IncrementalCursorPathMissing() | IncrementalCursorPathHasValueNone():
            return SourceError(
                f"a record has no value for the cursor `{cause.json_path}`",
                help="every record needs one; leave the others out, or use another cursor",
            )
        case IncrementalCursorInvalidCoercion():
            return SourceError(
                f"the cursor `{cause.cursor_path}` has values that cannot be compared",
                help="`initial_value` and all values of the cursor must be of one type",
            )
        case duckdb.Error():
            message = str(cause).partition("\n")[0]
            return TargetError(f"DuckDB answers: {message}", help="nothing was loaded")
        case _:
            return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, outermost first."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__
