"""Which URLs can be the store of checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestration.config.names import Refusal

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_AZURE = ("abfs", "abfss", "az")
SCHEMES = ("file", "s3", "s3a", "gs", "gcs", *_AZURE)
"""Those of stores in which a file is there as a whole or not at all."""
_EXAMPLE = "write it like `s3://bucket/checkpoints` or `file:///srv/checkpoints`"


def check_checkpoint_url(url: str) -> Refusal | None:
    """Why checkpoints cannot be kept at `url`. The texts say nothing that may be secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return Refusal("it is no URL", _EXAMPLE)
    if not parts.scheme:
        return Refusal("it has no scheme", _EXAMPLE)
    if parts.scheme not in SCHEMES:
        return Refusal(
            f"not every store of `{parts.scheme}` keeps a file for good, and as a whole or not at all",
            f"use one of {', '.join(f'`{scheme}`' for scheme in SCHEMES)}",
        )
    user, _, host = parts.netloc.rpartition("@")
    if ":" in user or (user and parts.scheme not in _AZURE):  # which write `container@account`
        return Refusal(
            "it holds credentials",
            "leave them out: the store is opened with those in the environment of whoever runs jobs",
        )
    fault = _fault(parts, host)
    return Refusal(fault, _EXAMPLE) if fault else None


def _fault(parts: SplitResult, host: str) -> str:
    if parts.query or parts.fragment:
        return "it has a query or a fragment"
    if parts.scheme != "file":
        return "" if host else "it names no bucket"
    is_folder = host in ("", "localhost") and parts.path.strip("/")
    return "" if is_folder else "it names no folder of this machine"
