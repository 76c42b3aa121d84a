"""What runner.yaml says of tenants, connectors and the instance."""

from datetime import timedelta
from pathlib import Path

from orchestration.domain.limits import Priority
from orchestration.domain.secrets import EnvSecrets, FileSecrets
from orchestration.domain.workspace import Settings, Tenant

FILES = {
    "jobs/acme/orders.yaml": "command: [x]\nsource_connector: shop\ntarget_connector: lake\n",
    "jobs/globex/users.yaml": "command: [x]\nsource_connector: crm\ntarget_connector: lake\n",
    "jobs/initech/reports.yaml": "command: [x]\n",
}
RUNNER = """\
runner:
  postgres_url: ${DATABASE_URL}
  graceful_shutdown_timeout: 2m
  connectors: {shop: {concurrency: 4}, lake: {concurrency: 2}}
  orchestrator: {concurrency_per_tenant: 2}
  tenants:
    acme:
      concurrency: 3
      priority: high
      env: {REGION: "${REGION}"}
      secrets: {provider: env, prefix: ACME_}
    globex:
      secrets: {provider: file, path: secrets/globex}
    initech: {secrets: {provider: file, path: /run/secrets/initech}, priority: low}
"""


def test_tenants_have_their_priorities_and_their_secrets(load):
    workspace = load({"runner.yaml": RUNNER, **FILES})
    assert workspace.problems == ()
    assert workspace.tenants == {
        "acme": Tenant(
            name="acme",
            concurrency=3,
            priority=Priority.HIGH,
            env={"REGION": "${REGION}"},
            secrets=EnvSecrets(prefix="ACME_"),
        ),
        "globex": Tenant(
            name="globex",
            concurrency=2,
            secrets=FileSecrets(path=workspace.root / "secrets/globex"),
        ),
        "initech": Tenant(
            name="initech",
            concurrency=2,
            priority=Priority.LOW,
            secrets=FileSecrets(path=Path("/run/secrets/initech")),
        ),
    }


def test_the_url_of_the_database_stays_out_of_the_settings(load):
    environ = {"DATABASE_URL": "postgresql://dagster:hunter2@localhost/dagster"}
    workspace = load({"runner.yaml": RUNNER, **FILES}, environ=environ)
    assert workspace.settings == Settings(
        state_directory=workspace.root / ".orchestrate",
        concurrency_per_tenant=2,
        connector_limits={"shop": 4, "lake": 2},
        postgres_url="DATABASE_URL",
        graceful_shutdown_timeout=timedelta(minutes=2),
    )


def test_a_broken_job_may_be_the_one_that_meets_a_limit(load):
    files = {**FILES, "jobs/acme/orders.yaml": "source_connector: shop\ncommand: 5\n"}
    workspace = load({"runner.yaml": RUNNER, **files})
    assert [problem.code for problem in workspace.problems] == ["ORC102"]
