"""`orchestrate list`: the jobs, schedules and tenants of the workspace."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import click

from orchestration.cli.common import (
    ExampleCommand,
    format_option,
    read_workspace,
    runner_file,
    runner_option,
)
from orchestration.cli.output import ProblemRow, problem_row, write_json, write_table, write_yaml
from orchestration.domain.job import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestration.domain.job import BrokenJob
    from orchestration.domain.problem import Problem
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
@format_option("table", "json", "yaml")
@click.option("--tenant", metavar="NAME", help="Only what belongs to this tenant.")
@runner_option
def command(kind: str, style: str, tenant: str | None) -> None:
    """List jobs, schedules or tenants.

    Jobs whose files have errors are listed too, with their problems.
    """
    from orchestration.cli.lookup import check_tenant

    workspace = read_workspace(runner_file())
    check_tenant(workspace, tenant)
    listing = _LISTINGS[kind](workspace, tenant)
    match style:
        case "json":
            write_json(listing.rows)
        case "yaml":
            write_yaml(listing.rows)
        case _:
            write_table(listing.cells, header=listing.header, empty=f"There are no {kind}.")


def list_jobs(workspace: Workspace, tenant: str | None = None) -> Listing:
    """All jobs, healthy and broken, by id; of one tenant if it is given."""
    jobs = sorted((*workspace.jobs, *workspace.broken_jobs), key=lambda job: job.id)
    problems: defaultdict[str, list[Problem]] = defaultdict(list)
    schedules: defaultdict[str, list[str]] = defaultdict(list)
    for problem in workspace.problems:
        problems[problem.location.file].append(problem)
    for schedule in workspace.schedules:
        schedules[schedule.job_id].append(schedule.name)
    rows = [
        _job_row(job, schedules=schedules[job.id], problems=problems[job.location.file])
        for job in jobs
        if tenant in (None, job.tenant)
    ]
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
    jobs = Counter(job.tenant for job in workspace.jobs)
    broken = Counter(job.tenant for job in workspace.broken_jobs)
    schedules = Counter(_tenant_of(schedule) for schedule in workspace.schedules)
    rows: list[TenantRow] = [
        {
            "tenant": name,
            "concurrency": _concurrency(workspace, name),
            "jobs": jobs[name],
            "broken_jobs": broken[name],
            "schedules": schedules[name],
        }
        for name in sorted({*workspace.tenants, *jobs, *broken})
        if tenant in (None, name)
    ]
    return Listing(
        rows=rows,
        header=("tenant", "concurrency", "jobs", "broken jobs", "schedules"),
        cells=[tuple(str(value) for value in row.values()) for row in rows],
    )


def _job_row(job: Job | BrokenJob, *, schedules: list[str], problems: Sequence[Problem]) -> JobRow:
    return {
        "id": job.id,
        "tenant": job.tenant,
        "asset": job.asset,
        "asset_key": list(job.asset_key),
        "kind": str(job.kind) if isinstance(job, Job) else None,
        "file": job.location.file,
        "line": job.location.line,
        "schedules": schedules,
        "problems": [problem_row(problem) for problem in problems],
    }


def _schedule_row(schedule: Schedule) -> ScheduleRow:
    return {
        "name": schedule.name,
        "tenant": _tenant_of(schedule),
        "job": schedule.job_id,
        "trigger": schedule.trigger.description,
        "enabled": schedule.enabled,
        "max_concurrent_runs": schedule.max_concurrent_runs,
        "tags": dict(schedule.tags),
        "file": schedule.location.file,
        "line": schedule.location.line,
    }


def _tenant_of(schedule: Schedule) -> str:
    return schedule.job_id.split("/", maxsplit=1)[0]


def _concurrency(workspace: Workspace, name: str) -> int:
    tenant = workspace.tenants.get(name)
    return tenant.concurrency if tenant else workspace.settings.concurrency_per_tenant


_LISTINGS: dict[str, Callable[[Workspace, str | None], Listing]] = {
    "jobs": list_jobs,
    "schedules": list_schedules,
    "tenants": list_tenants,
}
