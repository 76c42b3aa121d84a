"""`orchestrate list`: the jobs, schedules and tenants of the workspace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import click

from orchestration.cli.common import ExampleCommand, read_workspace, runner_file, runner_option
from orchestration.cli.output import ProblemRow, problem_row, write_json, write_table, write_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestration.domain.job import BrokenJob, Job
    from orchestration.domain.schedule import Schedule
    from orchestration.domain.workspace import Workspace


class JobRow(TypedDict):
    """One job as scripts read it; keys and order are an interface. `kind` is None if broken."""

    id: str
    tenant: str
    asset: str
    asset_key: list[str]
    kind: str | None
    file: str
    line: int
    schedules: list[str]
    problems: list[ProblemRow]


class ScheduleRow(TypedDict):
    """One schedule as scripts read it."""

    name: str
    tenant: str
    job: str
    trigger: str
    enabled: bool
    max_concurrent_runs: int
    tags: dict[str, str]
    file: str
    line: int


class TenantRow(TypedDict):
    """One tenant as scripts read it; `jobs` are the healthy ones."""

    tenant: str
    concurrency: int
    jobs: int
    broken_jobs: int
    schedules: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one `orchestrate list` shows: `rows` for scripts, `header` and `cells` for people."""

    rows: Sequence[Mapping[str, object]]
    header: tuple[str, ...]
    cells: list[tuple[str, ...]]


@click.command(
    "list",
    cls=ExampleCommand,
    examples=(
        "orchestrate list jobs",
        "orchestrate list schedules --tenant acme",
        "orchestrate list jobs --format json",
    ),
)
@click.argument("kind", type=click.Choice(["jobs", "schedules", "tenants"]))
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="A table for people, JSON or YAML for scripts.",
)
@click.option("--tenant", metavar="NAME", help="Only what belongs to this tenant.")
@runner_option
def command(kind: str, style: str, tenant: str | None) -> None:
    """List jobs, schedules or tenants.

    Jobs whose files have errors are listed too, with their problems.
    """
    listing = _LISTINGS[kind](read_workspace(runner_file()), tenant)
    match style:
        case "json":
            write_json(listing.rows)
        case "yaml":
            write_yaml(listing.rows)
        case _:
            write_table(listing.cells, header=listing.header, empty=f"no {kind}")


def list_jobs(workspace: Workspace, tenant: str | None = None) -> Listing:
    """All jobs, healthy and broken, by id; of one tenant if it is given."""
    jobs = sorted((*workspace.jobs, *workspace.broken_jobs), key=lambda job: job.id)
    rows = [_job_row(workspace, job) for job in jobs if tenant in (None, job.tenant)]
    return Listing(
        rows=rows,
        header=("job", "asset", "kind", "schedules", "file", "problems"),
        cells=[
            (
                row["id"],
                "/".join(row["asset_key"]),
                row["kind"] or "broken",
                ", ".join(row["schedules"]) or "-",
                f"{row['file']}:{row['line']}",
                str(len(row["problems"]) or "-"),
            )
            for row in rows
        ],
    )


def list_schedules(workspace: Workspace, tenant: str | None = None) -> Listing:
    """All schedules in the order of the file; of one tenant if it is given."""
    every = [_schedule_row(schedule) for schedule in workspace.schedules]
    rows = [row for row in every if tenant in (None, row["tenant"])]
    return Listing(
        rows=rows,
        header=("schedule", "job", "trigger", "enabled", "file"),
        cells=[
            (
                row["name"],
                row["job"],
                row["trigger"],
                "yes" if row["enabled"] else "no",
                f"{row['file']}:{row['line']}",
            )
            for row in rows
        ],
    )


def list_tenants(workspace: Workspace, tenant: str | None = None) -> Listing:
    """All tenants by name: those of runner.yaml, and those that only have jobs."""
    jobs = (*workspace.jobs, *workspace.broken_jobs)
    names = sorted(set(workspace.tenants) | {job.tenant for job in jobs})
    rows = [_tenant_row(workspace, name) for name in names if tenant in (None, name)]
    return Listing(
        rows=rows,
        header=("tenant", "concurrency", "jobs", "broken jobs", "schedules"),
        cells=[tuple(str(value) for value in row.values()) for row in rows],
    )


def _job_row(workspace: Workspace, job: Job | BrokenJob) -> JobRow:
    healthy = workspace.job(job.id)
    problems = [p for p in workspace.problems if p.location.file == job.location.file]
    return {
        "id": job.id,
        "tenant": job.tenant,
        "asset": job.asset,
        "asset_key": list(job.asset_key),
        "kind": str(healthy.kind) if healthy else None,
        "file": job.location.file,
        "line": job.location.line,
        "schedules": [schedule.name for schedule in workspace.schedules_of(job.id)],
        "problems": [problem_row(problem) for problem in problems],
    }


def _schedule_row(schedule: Schedule) -> ScheduleRow:
    return {
        "name": schedule.name,
        "tenant": schedule.job_id.split("/", maxsplit=1)[0],
        "job": schedule.job_id,
        "trigger": schedule.trigger.description,
        "enabled": schedule.enabled,
        "max_concurrent_runs": schedule.max_concurrent_runs,
        "tags": dict(schedule.tags),
        "file": schedule.location.file,
        "line": schedule.location.line,
    }


def _tenant_row(workspace: Workspace, name: str) -> TenantRow:
    tenant = workspace.tenants.get(name)
    limit = tenant.concurrency if tenant else workspace.settings.concurrency_per_tenant
    return {
        "tenant": name,
        "concurrency": limit,
        "jobs": sum(job.tenant == name for job in workspace.jobs),
        "broken_jobs": sum(job.tenant == name for job in workspace.broken_jobs),
        "schedules": sum(s.job_id.startswith(f"{name}/") for s in workspace.schedules),
    }


_LISTINGS: dict[str, Callable[[Workspace, str | None], Listing]] = {
    "jobs": list_jobs,
    "schedules": list_schedules,
    "tenants": list_tenants,
}
