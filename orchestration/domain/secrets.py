"""Where the secrets of a tenant come from. Values never enter these values, only the way to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvSecrets:
    """Environment variables whose names begin with `prefix`: `${TOKEN}` is `ACME_TOKEN` of the
    process that runs the job. No other tenant can read a variable with this prefix.
    """

    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSecrets:
    """A file of `NAME=value` lines, or a folder with one file a secret, at `path` (absolute)."""

    path: Path


SecretSource = EnvSecrets | FileSecrets
