"""The tags that carry a job's identity through Dagster: on assets, on jobs and on every run.

Runs are counted under tags of their own, one a tenant, a job and a connector, since a run may cover
several of them. They begin with Dagster's prefix for tags that the UI does not show.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestration.domain.job import Job

TENANT: Final = "tenant"
JOB_NAME: Final = "job_name"
CONNECTOR_TYPE: Final = "connector_type"
FULL_REFRESH: Final = "orchestration/full_refresh"
SCHEDULE: Final = "orchestration/schedule"
SCHEDULED_AT: Final = "orchestration/scheduled_at"
TRACEPARENT: Final = "orchestration/traceparent"
MAX_RUNTIME: Final = "dagster/max_runtime"
PRIORITY: Final = "dagster/priority"
RETRY: Final = "orchestration/retry"
RETRY_AT: Final = "orchestration/retry_at"
RETRY_OF: Final = "orchestration/retry_of"
ATTEMPT: Final = "orchestration/attempt"
BREAKERS: Final = "orchestration/breaker/"
LASTING: Final = ".dagster/orchestration_lasting"
"""Of a run whose occasion does not come back, as that of a tick does."""
RETRY_SLOTS: Final = ".dagster/orchestration/retry/"
_SHOWN_VALUES: Final = 3


def tenant_slot(tenant: str) -> str:
    """The tag key under which the runs of a tenant are counted, also when a run has several."""
    return f".dagster/orchestration/tenant/{tenant}"


def job_slot(job_id: str) -> str:
    """The tag key under which the runs of the job `tenant/name` are counted."""
    return f".dagster/orchestration/job/{job_id}"


def connector_slot(connector: str) -> str:
    """The tag key under which the runs are counted that have the connector at either end."""
    return f".dagster/orchestration/connector/{connector}"


def breaker_change(tenant: str, connector: str) -> str:
    """The tag key of a run that has `opened` or `closed` this breaker."""
    return f"{BREAKERS}{tenant}/{connector}"


def retry_slot(job_id: str) -> str:
    """The tag key of a run under which it says that the job waits for a retry in another run."""
    return f"{RETRY_SLOTS}{job_id}"


def make_traceparent(run_id: str, root_run_id: str) -> str:
    """The trace context of a run (W3C Trace Context, version 00, sampled).

    The trace is named by the first run of a group, so that a re-execution continues it, and the
    span by the run itself. Both follow from the ids alone, and can be computed anywhere.
    """
    return f"00-{_hexadecimal(root_run_id)}-{_hexadecimal(run_id)[-16:]}-01"


def _hexadecimal(run_id: str) -> str:
    """The 32 digits of the id; those of its hash if it is one that somebody made up."""
    try:
        return UUID(run_id).hex
    except ValueError:
        return hashlib.sha256(run_id.encode()).hexdigest()[:32]


def job_tags(job: Job) -> dict[str, str]:
    """The automatic tags of a job (004-13) and its own; the automatic ones win."""
    automatic = {TENANT: job.tenant, JOB_NAME: job.name, CONNECTOR_TYPE: job.connector}
    return {**job.tags, **automatic}


def join_values(values: Iterable[str]) -> str:
    """Several values of one tag, each once, in order: `acme,globex`, `a,b,c and 197 more`.

    Bounded, since databases index tags and refuse long ones.
    """
    distinct = list(dict.fromkeys(values))
    shown, rest = distinct[:_SHOWN_VALUES], len(distinct[_SHOWN_VALUES:])
    return ",".join(shown) + (f" and {rest} more" if rest else "")


def merge_tags(many: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The tags of a run that covers several jobs: per key, the distinct values joined."""
    merged: dict[str, list[str]] = {}
    for tags in many:
        for key, value in tags.items():
            merged.setdefault(key, []).append(value)
    return {key: join_values(values) for key, values in merged.items()}
