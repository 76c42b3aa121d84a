"""Names in a target: what becomes of tenants, assets and jobs there."""

from __future__ import annotations

import re
from hashlib import blake2b

_OTHER = re.compile(r"[^a-z0-9]+")
_LONGEST_SLUG = 48
FILE_COLUMN = "_source_file"
"""Where the table says which file a row came from."""
IDENTIFIER = re.compile(r"[a-z_][a-z0-9]*(_[a-z0-9]+)*")


def identifier(text: str) -> str:
    """The SQL identifier for a name: lower case, `_` for what is no ASCII letter or digit.

    It is one that dlt leaves as it is.

    >>> identifier("Airports-EU (2024)")
    'airports_eu_2024'
    """
    slug = _OTHER.sub("_", text.lower()).strip("_") or "x"
    return f"_{slug}" if slug[0].isdigit() else slug


def pipeline_name(job: str) -> str:
    """The name under which dlt knows the job: readable, and another one for every job."""
    digest = blake2b(job.encode(), digest_size=4).hexdigest()
    return f"{identifier(job)[:_LONGEST_SLUG].rstrip('_')}_{digest}"
