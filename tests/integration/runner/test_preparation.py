import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestration.domain.job import CommandTask, ConnectorEnd, ConnectorTask, Job, JobKind
from orchestration.domain.outcome import Outcome
from orchestration.domain.problem import Location
from orchestration.domain.records import (
    AssetSchema,
    Dedup,
    LetterFilter,
    RecordField,
    Replay,
    Stage,
)
from orchestration.domain.secrets import EnvSecrets
from orchestration.domain.workspace import Settings, Tenant, Workspace
from orchestration.errors import MissingVariableError, NoFullRefreshError, UnknownSecretsError
from orchestration.runner import ProcessSpec, prepare
from orchestration.runner.checkpoint_stores import LocalStore, RemoteStore
from orchestration.runner.checkpoints import Checkpoints, Origin
from orchestration.runner.handover import Handover
from orchestration.runner.preparation import prepare_target

ENVIRON = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HTTPS_PROXY": "http://proxy:3128",
    "ACME_TOKEN": "hunter2!",
    "AWS_SECRET_ACCESS_KEY": "not for the child",
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(
        root=tmp_path,
        runner_file=tmp_path / "runner.yaml",
        settings=Settings(state_directory=tmp_path / ".orchestrate"),
        tenants={
            name: Tenant(name=name, concurrency=1, env={"REGION": region})
            for name, region in (("acme", "eu"), ("globex", "us"), ("initech", "${REGION:-ap}"))
        },
    )


def command_job(folder: Path, *command: str, tenant: str = "acme", **facts) -> Job:
    return Job(
        tenant=tenant,
        name="orders",
        asset="orders",
        kind=JobKind.COMMAND,
        task=CommandTask(command=command, working_directory=folder),
        location=Location(file=f"jobs/{tenant}/orders.yaml", line=3, column=5),
        **facts,
    )


def prepare_first(job: Job, workspace: Workspace, **facts) -> ProcessSpec:
    return prepare(
        job, workspace=workspace, **{"environ": ENVIRON, "run_id": "run-1", "attempt": 1, **facts}
    )


def test_a_command_gets_the_allow_list_its_own_variables_and_who_it_is(workspace, tmp_path):
    job = command_job(
        tmp_path,
        "extract",
        "--token",
        "${ACME_TOKEN}",
        "--region=${REGION}",
        "$${NOT_MINE}",
        env={"DSN": "pg://:${ACME_TOKEN}@db", "MODE": "job"},
        timeout=timedelta(minutes=5),
        grace_period=timedelta(seconds=3),
    )
    spec = prepare_first(
        job, workspace, attempt=2, traceparent="00-a-b-01", overrides={"MODE": "override"}
    )
    folder = tmp_path / ".orchestrate/attempts/acme/orders/run-1-2"
    assert spec == ProcessSpec(
        argv=("extract", "--token", "hunter2!", "--region=eu", "${NOT_MINE}"),
        working_directory=tmp_path,
        environ={
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HTTPS_PROXY": "http://proxy:3128",
            "REGION": "eu",
            "DSN": "pg://:hunter2!@db",
            "MODE": "override",
            "ORCHESTRATE_JOB": "acme/orders",
            "ORCHESTRATE_TENANT": "acme",
            "ORCHESTRATE_RUN_ID": "run-1",
            "ORCHESTRATE_ATTEMPT": "2",
            "ORCHESTRATE_CHECKPOINT": f"{folder}/checkpoint",
            "ORCHESTRATE_CHECKPOINT_NEXT": f"{folder}/checkpoint.next",
            "ORCHESTRATE_RUNNER": str(tmp_path / "runner.yaml"),
            "TRACEPARENT": "00-a-b-01",
        },
        handover=Handover(
            checkpoints=Checkpoints(
                store=LocalStore(tmp_path / ".orchestrate/checkpoints"), job_id="acme/orders"
            ),
            folder=folder,
            origin=Origin(run_id="run-1", attempt=2),
        ),
        stdin=None,
        timeout=timedelta(minutes=5),
        grace_period=timedelta(seconds=3),
        secrets=("override", "hunter2!"),
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tenant", ["acme", "globex", "initech"])
def test_checkpoints_are_kept_where_the_settings_say(workspace, tmp_path, tenant):
    settings = replace(workspace.settings, checkpoint_url="s3://bucket/checkpoints")
    job = command_job(tmp_path, "extract", tenant=tenant)

    spec = prepare_first(job, replace(workspace, settings=settings))

    assert spec.handover.checkpoints == Checkpoints(
        store=RemoteStore("s3://bucket/checkpoints"), job_id=f"{tenant}/orders"
    )


def test_a_job_may_not_pretend_to_be_another_one(workspace, tmp_path):
    job = command_job(tmp_path, "echo", "${ORCHESTRATE_JOB}", env={"ORCHESTRATE_TENANT": "globex"})
    spec = prepare_first(job, workspace)
    assert spec.argv == ("echo", "acme/orders")
    assert spec.environ["ORCHESTRATE_TENANT"] == "acme"


def test_a_connector_gets_its_whole_order_on_standard_input(workspace, tmp_path):
    job = Job(
        tenant="acme",
        name="airports",
        asset="airports_raw",
        kind=JobKind.CONNECTOR,
        task=ConnectorTask(
            source=ConnectorEnd(
                connector="rest",
                options={"url": "https://x?key=${ACME_TOKEN}", "pages": [1, "${REGION}"]},
            ),
            target=ConnectorEnd(connector="duckdb", options={"database": "${DB:-w.duckdb}"}),
            working_directory=tmp_path,
        ),
        location=Location(file="jobs/acme/airports.yaml"),
    )
    spec = prepare_first(job, workspace, attempt=3, full_refresh=True)
    assert spec.argv == (sys.executable, "-m", "orchestration.connectors")
    assert json.loads(spec.stdin or b"") == {
        "job": "acme/airports",
        "tenant": "acme",
        "name": "airports",
        "asset": "airports_raw",
        "run_id": "run-1",
        "attempt": 3,
        "full_refresh": True,
        "source": {
            "connector": "rest",
            "options": {"url": "https://x?key=hunter2!", "pages": [1, "eu"]},
        },
        "target": {"connector": "duckdb", "options": {"database": "w.duckdb"}},
        "working_directory": str(tmp_path),
        "state_directory": str(tmp_path / ".orchestrate/connectors/acme/airports"),
    }
    assert spec.secrets == ("hunter2!",)
    assert spec.handover is None  # its checkpoint is in its target, committed with the data
    assert {name for name in spec.environ if "CHECKPOINT" in name} == set()


def test_a_connector_is_told_what_its_records_are_held_to(workspace, tmp_path):
    ends = {name: ConnectorEnd(connector=name) for name in ("source", "target")}
    job = replace(
        command_job(tmp_path, "extract"),
        kind=JobKind.CONNECTOR,
        task=ConnectorTask(**ends, working_directory=tmp_path),
        schema=AssetSchema(fields=(RecordField(name="id", type="integer"),), file="a.yaml"),
        dedup=Dedup(key=("id",)),
    )
    order = json.loads(prepare_first(job, workspace).stdin)
    assert (order["schema"], order["dedup"]) == (
        {
            "file": "a.yaml",
            "validation": "strict",
            "fields": [{"name": "id", "type": "integer", "required": False, "description": ""}],
        },
        {"key": ["id"], "within_seconds": 86400.0, "max_keys": 1_000_000},
    )
    assert "replay" not in order
    replay = Replay(wanted=LetterFilter(stage=Stage.READ), dry_run=True)
    assert json.loads(prepare_first(job, workspace, replay=replay).stdin)["replay"] == {
        "id": "",
        "run": "",
        "stage": "read",
        "limit": None,
        "dry_run": True,
    }


def test_a_full_refresh_of_a_command_is_refused_rather_than_ignored(workspace, tmp_path):
    with pytest.raises(NoFullRefreshError) as caught:
        prepare_first(command_job(tmp_path, "extract"), workspace, full_refresh=True)

    assert str(caught.value) == (
        "jobs/acme/orders.yaml:3:5: error ORC608: a full refresh was asked for, but `acme/orders`"
        " is a command job and keeps its own state\n"
        "   help: begin anew with `orchestrate checkpoint reset acme/orders`, and run it without"
    )


def test_nothing_runs_while_it_is_not_known_which_secrets_are_whose(workspace, tmp_path):
    with pytest.raises(UnknownSecretsError) as caught:
        prepare_first(command_job(tmp_path, "extract"), replace(workspace, is_sound=False))

    assert str(caught.value) == (
        "error ORC653: `acme/orders` cannot run while runner.yaml has errors: it is not known which"
        " variables and secrets belong to which tenant\n"
        "   help: correct runner.yaml; `orchestrate validate` shows what is wrong with it"
    )


def test_the_password_of_an_inherited_proxy_is_secret(workspace, tmp_path):
    environ = {**ENVIRON, "https_proxy": "http://ada:s3cr3t@proxy:3128"}
    spec = prepare_first(command_job(tmp_path, "extract"), workspace, environ=environ)
    assert spec.secrets == ("s3cr3t",)


def test_all_missing_variables_and_all_places_are_told_at_once(workspace, tmp_path):
    job = command_job(
        tmp_path, "extract", "${API_KEY}", "${API_KEY} ${ACME_TOKEN}", env={"DSN": "${DB_HOST}"}
    )
    with pytest.raises(MissingVariableError) as caught:
        prepare_first(job, workspace)
    assert str(caught.value) == (
        "jobs/acme/orders.yaml:3:5: error ORC603: job `acme/orders` needs 2 variables that have "
        "no value: `API_KEY` (for command[1], command[2]); `DB_HOST` (for env.DSN)\n"
        "   help: set it in the environment, with `--env NAME=VALUE`, in `env` of the job or in "
        "`tenants.acme.env` of runner.yaml, or give a default: `${NAME:-value}`; all of these "
        "places were looked in, in the order `--env`, job, tenant, environment"
    )
    assert not (tmp_path / ".orchestrate").exists()


def test_one_missing_variable_reads_as_one(workspace, tmp_path):
    with pytest.raises(MissingVariableError) as caught:
        prepare_first(command_job(tmp_path, "extract", "${API_KEY}"), workspace)
    assert caught.value.reason == (
        "job `acme/orders` needs a variable that has no value: `API_KEY` (for command[1])"
    )


@pytest.mark.parametrize("tenant", ["acme", "globex", "initech"])
def test_no_job_can_read_the_url_of_the_database_of_the_instance(workspace, tmp_path, tenant):
    settings = replace(workspace.settings, postgres_url="ACME_DATABASE_URL")
    acme = replace(workspace.tenants["acme"], secrets=EnvSecrets(prefix="ACME_"))
    workspace = replace(workspace, settings=settings, tenants={**workspace.tenants, "acme": acme})
    environ = {**ENVIRON, "ACME_DATABASE_URL": "postgresql://all:secret@db/runs"}
    for name in ("ACME_DATABASE_URL", "DATABASE_URL"):
        job = command_job(tmp_path, "dump", f"${{{name}}}", tenant=tenant)
        with pytest.raises(MissingVariableError) as caught:
            prepare_first(job, workspace, environ=environ)
        refused = "`ACME_DATABASE_URL` of the environment is the database of all tenants' runs"
        assert (refused in caught.value.help) == (name == "ACME_DATABASE_URL")
        assert "secret@db" not in str(caught.value)


def test_a_tenant_that_runner_yaml_does_not_name_has_no_variables(workspace, tmp_path):
    spec = prepare_first(command_job(tmp_path, "true", tenant="umbrella"), workspace)
    assert "REGION" not in spec.environ


def test_three_tenants_each_run_their_own_command_with_their_own_variables(
    attempt, workspace, tmp_path
):
    for tenant in ("acme", "globex", "initech"):
        job = command_job(
            tmp_path, "sh", "-c", f"echo {tenant} $ORCHESTRATE_JOB $REGION", tenant=tenant
        )
        spec = prepare_first(job, workspace)
        result = attempt.run(*spec.argv, environ=spec.environ)
        assert result.outcome is Outcome.SUCCEEDED
    assert [line for _, line in attempt.lines] == [
        "acme acme/orders eu",
        "globex globex/orders us",
        "initech initech/orders ap",
    ]


def test_who_looks_at_the_target_of_a_job_needs_what_the_target_needs(workspace, tmp_path):
    source = ConnectorEnd(connector="rest", options={"url": "https://x?key=${MISSING}"})
    target = ConnectorEnd(connector="duckdb", options={"path": "${FILE}.duckdb"})
    task = ConnectorTask(source=source, target=target, working_directory=tmp_path)
    job = Job(
        tenant="acme",
        name="airports",
        asset="airports",
        kind=JobKind.CONNECTOR,
        task=task,
        location=Location(file="jobs/acme/airports.yaml"),
        env={"FILE": "${PLACE}/w", "KEY": "${MISSING}"},
    )
    env = {"PLACE": "${ACME_TOKEN}", "OTHER": "${MISSING}"}
    tenants = {**workspace.tenants, "acme": Tenant(name="acme", concurrency=1, env=env)}
    workspace = replace(workspace, tenants=tenants)
    spec = prepare_target(job, task, workspace=workspace, environ=ENVIRON)
    order = json.loads(spec.stdin or b"")
    assert (order["source"], order["target"]) == (
        {"connector": "rest", "options": {}},
        {"connector": "duckdb", "options": {"path": "hunter2!/w.duckdb"}},
    )
    with pytest.raises(MissingVariableError) as caught:
        prepare_target(job, task, workspace=workspace, environ={})
    assert "`ACME_TOKEN`" in str(caught.value)
    assert "`MISSING`" not in str(caught.value)
