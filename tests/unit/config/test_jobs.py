from datetime import timedelta
from pathlib import Path

import pytest

from orchestration.domain.job import CommandTask, ConnectorEnd, ConnectorTask, Job, JobKind
from orchestration.domain.problem import Location
from orchestration.domain.retry import NO_RETRIES, RetryPolicy

ROOT = Path("/workspace")
FULL = """\
# the orders
tenant_id: acme
name: orders-v2
asset: orders
description: All orders.
environment: ${STAGE:-prod}
owners: ["team:data", data@example.com]
tags: {domain: sales, build: "${BUILD}"}
command: [python, load.py, "${SINCE}"]
working_directory: scripts
image: python:3.12
env: {REGION: "${REGION:-eu}"}
timeout: 1h30m
grace_period: 30s
retry_config:
  max_retries: ${RETRIES}
  initial_delay_seconds: 10
  max_delay_seconds: 60
  backoff_multiplier: 3
  retryable_exit_codes: [2, 137]
  retryable_error_patterns: ["timed? out"]
source_connector: shop
target_connector: warehouse
"""


def load_job(load, text, **arguments):
    files = {"jobs/acme/orders.yaml": text, "scripts/load.py": ""}
    workspace = load(files, **arguments)
    assert [p for p in workspace.problems if p.is_error] == []
    return workspace.jobs[0]


def test_a_command_job_has_everything_that_its_file_says(load):
    job = load_job(load, FULL, environ={"BUILD": "42", "RETRIES": "5", "REGION": "us"})
    assert job == Job(
        tenant="acme",
        name="orders-v2",
        asset="orders",
        kind=JobKind.COMMAND,
        task=CommandTask(
            command=("python", "load.py", "${SINCE}"),
            working_directory=ROOT / "scripts",
            image="python:3.12",
        ),
        location=Location(file="jobs/acme/orders.yaml", line=2),
        source_connector="shop",
        target_connector="warehouse",
        description="All orders.",
        environment="prod",
        owners=("team:data", "data@example.com"),
        tags={"domain": "sales", "build": "42"},
        env={"REGION": "${REGION:-eu}"},
        timeout=timedelta(minutes=90),
        grace_period=timedelta(seconds=30),
        retry=RetryPolicy(
            max_retries=5,
            initial_delay=timedelta(seconds=10),
            max_delay=timedelta(seconds=60),
            backoff_multiplier=3.0,
            retryable_exit_codes=frozenset({2, 137}),
            retryable_error_patterns=("timed? out",),
        ),
    )
    assert job.asset_key == ("acme", "warehouse", "orders")


def test_the_image_of_a_command_is_recorded_and_said_to_have_no_effect(load):
    text = "command: [x]\nimage: python:3.12\nfinops: {}\n"
    workspace = load({"jobs/acme/orders.yaml": text})
    assert workspace.jobs[0].task.image == "python:3.12"
    assert [(p.code, p.message) for p in workspace.problems] == [
        ("ORC501", "accepted, and without effect in this version: `image`, `finops`")
    ]


def test_a_command_is_all_that_a_job_needs(load):
    assert load_job(load, "command: [./load]\n") == Job(
        tenant="acme",
        name="orders",
        asset="orders",
        kind=JobKind.COMMAND,
        task=CommandTask(command=("./load",), working_directory=ROOT),
        location=Location(file="jobs/acme/orders.yaml"),
        grace_period=timedelta(seconds=10),
        retry=NO_RETRIES,
    )


def test_a_connector_job_keeps_its_options_as_they_are_written(load):
    job = load_job(
        load,
        "source_connector: shop\nsource: {url: '${URL}', pages: [1, 2.5, true, ~]}\n"
        "target_connector: warehouse\n",
    )
    assert job.kind is JobKind.CONNECTOR
    assert job.task == ConnectorTask(
        source=ConnectorEnd(
            connector="shop", options={"url": "${URL}", "pages": [1, 2.5, True, None]}
        ),
        target=ConnectorEnd(connector="warehouse"),
        working_directory=ROOT,
    )


def test_the_asset_is_named_after_the_job_with_characters_that_assets_can_have(load):
    job = load_job(load, "name: orders.v2-eu\ncommand: [x]\n")
    assert (job.id, job.asset_key) == ("acme/orders.v2-eu", ("acme", "orders_v2_eu"))


@pytest.mark.parametrize(
    ("config", "policy"),
    [
        ("{}", RetryPolicy(max_retries=3)),
        ("{max_retries: 0}", RetryPolicy(max_retries=0)),
        (
            "{retry_delay_seconds: 0.5, retryable_errors: [TimeoutError]}",
            RetryPolicy(
                max_retries=3,
                initial_delay=timedelta(seconds=0.5),
                retryable_error_patterns=("TimeoutError",),
            ),
        ),
        ("{retryable_error_patterns: }", RetryPolicy(max_retries=3)),
    ],
)
def test_the_defaults_of_retries_hold_where_retry_config_stands(load, config, policy):
    assert load_job(load, f"command: [x]\nretry_config: {config}\n").retry == policy


def test_a_working_directory_of_the_container_is_found_in_the_workspace(load):
    job = load_job(load, "command: [x]\nworking_directory: /app/scripts\n")
    assert job.task.working_directory == ROOT / "scripts"


def test_a_reference_stands_for_a_number_only_where_a_number_is_wanted(load):
    text = "command: [x]\nname: ${N}\nretry_config: {max_retries: '${N}'}\ntags: {a: '${YES}'}\n"
    job = load_job(load, text, environ={"N": "7", "YES": "yes"})
    assert (job.name, job.retry.max_retries, job.tags) == ("7", 7, {"a": "yes"})
