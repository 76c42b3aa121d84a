"""When the jobs of a tenant leave a connector alone for a while, since it keeps failing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """The `breaker` of a connector: after `failures` failed attempts of a tenant's jobs within
    `within` its schedules skip for `open_for`; then one run probes whether it works again.
    """

    failures: int = 5
    within: timedelta = timedelta(minutes=10)
    open_for: timedelta = timedelta(minutes=15)
