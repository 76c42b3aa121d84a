"""Where the secrets of a tenant come from. Values never enter these values, only the way to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def owned_variables(
    names: Iterable[str], sources: Mapping[str, SecretSource | None]
) -> dict[str, str]:
    """Those of the environment variables `names` that are secrets of a tenant, each with its tenant.

    `sources` are the secret sources by tenant. No prefix begins with another one.

    >>> owned_variables(["ACME_TOKEN", "TOKEN"], {"acme": EnvSecrets(prefix="ACME_")})
    {'ACME_TOKEN': 'acme'}
    """
    prefixes = {s.prefix: name for name, s in sources.items() if isinstance(s, EnvSecrets)}
    return {
        name: owner
        for name in names
        for prefix, owner in prefixes.items()
        if name.startswith(prefix)
    }
