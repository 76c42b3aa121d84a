"""The peer: the same jobs in plain Dagster, one `define_asset_job` and one schedule for each.

This is how it is done by hand, and how most generators do it. `BENCHMARK_JOBS` is their number.
"""

import os
import subprocess

import dagster as dg
from workspace import job_name


def build_asset(tenant: str, name: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=[tenant, name],
        group_name=tenant,
        description=f"Copies {name} of {tenant} into the warehouse",
        owners=[f"team:{tenant}"],
        tags={"environment": "production"},
        kinds={"shell"},
        retry_policy=dg.RetryPolicy(max_retries=3, delay=10, backoff=dg.Backoff.EXPONENTIAL),
    )
    def run_command() -> None:
        subprocess.run(["true"], check=True, timeout=1800)

    return run_command


def build_definitions(jobs: int) -> dg.Definitions:
    assets = [build_asset(*job_name(index)) for index in range(jobs)]
    asset_jobs = [
        dg.define_asset_job(
            "_".join(asset.key.path),
            selection=[asset],
            tags={"tenant": asset.key.path[0]},
            executor_def=dg.in_process_executor,
        )
        for asset in assets
    ]
    schedules = [
        dg.ScheduleDefinition(
            name=f"{job.name}_daily",
            job=job,
            cron_schedule=f"{index % 60} {index % 24} * * *",
            execution_timezone="Europe/Berlin",
            default_status=dg.DefaultScheduleStatus.RUNNING,
        )
        for index, job in enumerate(asset_jobs)
    ]
    return dg.Definitions(assets=assets, jobs=asset_jobs, schedules=schedules)


defs = build_definitions(int(os.environ["BENCHMARK_JOBS"]))
