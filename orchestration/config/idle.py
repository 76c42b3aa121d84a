"""Settings of runner.yaml that no job meets: most often a name is misspelt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.config import workspace_rules
from orchestration.config.connector_ends import is_slip
from orchestration.config.words import list_words, show, suggest

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestration.config.catalog import ConnectorCatalog
    from orchestration.config.document import Document
    from orchestration.config.runner_settings import RunnerContent
    from orchestration.domain.job import BrokenJob, Job


def warn_of_idle_tenants(document: Document, content: RunnerContent, busy: Collection[str]) -> None:
    """Report the tenants of the file that are not among the `busy` ones, which have jobs."""
    for name in content.tenants:
        if name not in busy:
            document.report(
                workspace_rules.IDLE_TENANT,
                ("runner", "tenants", name),
                on="key",
                hint=suggest(name, busy),
                name=show(name),
                tenants=list_words(busy),
            )


def check_connectors(
    document: Document,
    content: RunnerContent,
    jobs: Collection[Job],
    broken_jobs: Collection[BrokenJob],
    catalog: ConnectorCatalog,
) -> None:
    """Report settings that no job meets. A job that is broken may be the one that would meet them."""
    limits, policies = content.settings.connector_limits, content.failures.connectors
    if not (limits or policies):
        return
    sources = {job.connector for job in jobs}
    ends = {name for job in jobs for name in (job.source_connector, job.target_connector) if name}
    ends |= {job.target_connector for job in broken_jobs if job.target_connector}
    known = ends | sources | catalog.names("source") | catalog.names("target")
    for name in dict.fromkeys((*limits, *policies)):
        slip = name not in known and is_slip(name, known)
        unlimited = name in limits and name not in ends
        used, role = (ends, "connector") if unlimited else (sources, "source connector")
        if slip or (not broken_jobs and (unlimited or (name in policies and name not in sources))):
            document.report(
                workspace_rules.MISSPELT_LIMIT if slip else workspace_rules.IDLE_CONNECTOR,
                ("runner", "connectors", name),
                on="key",
                hint=suggest(name, known if slip else used),
                name=show(name),
                role=role,
                connectors=list_words(known if slip else used),
            )
