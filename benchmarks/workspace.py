"""Workspaces of any size, so that every benchmark measures the same kind of files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TENANTS = 50
_JOB = """\
tenant_id: {tenant}
asset: {asset}
description: Copies {asset} of {tenant} into the warehouse
command: {command}
owners: ["team:{tenant}"]
tags:
  environment: production
timeout: 30m
retry_config:
  max_retries: 3
  initial_delay_seconds: 10
  max_delay_seconds: 60
  backoff_multiplier: 2.0
  retryable_exit_codes: [1, 2]
  retryable_error_patterns: ["rate limit", "timed? ?out"]
"""
_RUNNER = """\
runner:
  mode: orchestrated
  orchestrator:
    type: dagster
    concurrency_per_tenant: 1
    schedules:
"""
_SCHEDULE = """\
      - name: {name}
        config: jobs/{tenant}/{asset}.yaml
        cron: "{cron}"
        timezone: Europe/Berlin
        tags:
          environment: production
"""


def job_name(index: int) -> tuple[str, str]:
    """Tenant and asset of job `index` (from 0): jobs are dealt to the tenants in turn."""
    return f"tenant_{index % TENANTS:02}", f"asset_{index:05}"


def write_workspace(
    folder: Path, jobs: int, *, command: tuple[str, ...] = ("true",), cron: str | None = None
) -> Path:
    """A `runner.yaml` with `jobs` schedules in `folder`, and one command job for each.

    Returns the path of `runner.yaml`. Every job runs `command`, at `cron` or, without one, daily at
    a minute of its own.
    """
    runner = [_RUNNER]
    for index in range(jobs):
        tenant, asset = job_name(index)
        path = folder / "jobs" / tenant / f"{asset}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_JOB.format(tenant=tenant, asset=asset, command=json.dumps(command)))
        name = f"{tenant}_{asset}_daily"
        when = cron or f"{index % 60} {index % 24} * * *"
        runner.append(_SCHEDULE.format(name=name, tenant=tenant, asset=asset, cron=when))
    (folder / "runner.yaml").write_text("".join(runner))
    return folder / "runner.yaml"
