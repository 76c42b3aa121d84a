"""Files of the product that this one replaces load unchanged, with warnings only (004-20)."""

import pytest

RUNNER = """\
runner:
  mode: orchestrated                  # orchestrated | oneshot
  orchestrator:
    type: dagster
    schedules:
      # the shop's customers, hourly
      - name: shop_customers_hourly
        config: /app/jobs/acme/shop_customers_to_lake.yaml
        cron: "0 * * * *"
        enabled: true
        timezone: "UTC"
        max_concurrent_runs: 1
        tags:
          environment: "production"
          priority: "high"
      - name: crm_contacts_daily
        config: /app/jobs/globex/crm_contacts_to_lake.yaml
        interval_seconds: 21600
        enabled: true
        timezone: "America/New_York"
      - name: drive_deals_daily
        config: jobs/initech/drive_deals_to_lake.yaml
        cron: "5 1 * * *"
        enabled: false
    concurrency_per_tenant: 1
  metrics:
    enabled: true
    prometheus_port: 9400
  notifications:
    on_failure:
      command: ["/app/scripts/notify.sh"]
      env:
        WEBHOOK_URL: ${WEBHOOK_URL}
"""
SHOP = """\
# Shop customers to the lake
tenant_id: acme
environment: prod

source_connector: shop
source_connector_path: /app/connectors/shop.yaml
target_connector: lake
target_connector_path: /app/connectors/lake.yaml
asset: shop_customers
asset_path: /app/assets/shop/v1.0/customers.yaml

source:
  object: customers
  incremental:
    lookback_days: 1

target:
  branch: acme
  warehouse: s3://lake/acme/
  connection:
    nessie:
      uri: "http://nessie.example.internal:19120/api/v1"
    s3:
      bucket: "acme-data-lake"
      access_key_id: "${AWS_ACCESS_KEY_ID}"
      secret_access_key: "${AWS_SECRET_ACCESS_KEY}"
      path_style_access: true

catalog:
  type: openmetadata
  connection:
    api_url: "${CATALOG_URL:-http://localhost:8585/api}"
  auth_token: "${CATALOG_TOKEN}"
  push_lineage: true

classification_overrides:
  email: high_pii
  default: pii
finops:
  cost_center: HR-001
  business_tags:
    - hr
    - payroll
governance_overrides:
  retention_days: 365
  owner: hr@example.com
schema_validation_mode: warn
logging:
  redaction: true
  level: INFO
infrastructure:
  provider: aws
  runtime:
    type: aws_fargate
  resource_identifiers:
    cluster_name: "{{terraform_outputs.cluster_name}}"
"""
CRM = """\
tenant_id: globex
source_connector: crm
target_connector: lake
asset: crm_contacts
source:
  custom_reader: "plugins/reader.py:Reader"
retry_config:
  max_retries: 3
  retry_delay_seconds: 10
  retryable_errors:
    - "ConnectionError"
    - "Rate limit exceeded"
"""
DRIVE = """\
tenant_id: initech
source_connector: drive
target_connector: lake
asset: drive_deals
source:
  files:
    - file_id: "an_id"
      path: "deals.csv"
retry_config:
  max_retries: 3
  initial_delay_seconds: 5
  max_delay_seconds: 300
  backoff_multiplier: 2.0
  retryable_exit_codes: [1, 2]
  retryable_error_patterns:
    - "TimeoutError"
"""
FILES = {
    "runner.yaml": RUNNER,
    "jobs/acme/shop_customers_to_lake.yaml": SHOP,
    "jobs/globex/crm_contacts_to_lake.yaml": CRM,
    "jobs/initech/drive_deals_to_lake.yaml": DRIVE,
}
INACTIVE = (
    "accepted, and without effect in this version: `source_connector_path`, "
    "`target_connector_path`, `asset_path`, `catalog`, `classification_overrides`, `finops`, "
    "`governance_overrides`, `schema_validation_mode`, `logging`, `infrastructure`"
)


@pytest.fixture
def workspace(load):
    return load(FILES)


def test_they_load_with_warnings_only(workspace):
    assert [job.id for job in workspace.jobs] == [
        "acme/shop_customers_to_lake",
        "globex/crm_contacts_to_lake",
        "initech/drive_deals_to_lake",
    ]
    assert not workspace.has_errors


def test_what_is_not_acted_on_is_said_once_a_file(workspace):
    said = [p for p in workspace.problems if p.code == "ORC501"]
    assert [(p.location.file, p.message) for p in said] == [
        ("jobs/acme/shop_customers_to_lake.yaml", INACTIVE),
        (
            "runner.yaml",
            "accepted, and without effect in this version: `metrics`, `notifications`",
        ),
    ]


def test_every_other_warning_has_a_reason(workspace):
    others = [(p.code, p.location.file) for p in workspace.problems if p.code != "ORC501"]
    missing_connectors = [("ORC114", name) for name in sorted(FILES) if name != "runner.yaml"]
    assert others == [
        *(warning for warning in missing_connectors for _ in ("source", "target")),
        ("ORC406", "runner.yaml"),
    ]


def test_their_schedules_fire_as_they_say(workspace):
    assert [(s.name, s.job_id, s.trigger.description, s.enabled) for s in workspace.schedules] == [
        ("shop_customers_hourly", "acme/shop_customers_to_lake", "0 * * * * (UTC)", True),
        ("crm_contacts_daily", "globex/crm_contacts_to_lake", "every 6h (UTC grid)", True),
        ("drive_deals_daily", "initech/drive_deals_to_lake", "5 1 * * * (UTC)", False),
    ]


def test_both_spellings_of_retries_mean_the_same(workspace):
    policies = {job.tenant: job.retry for job in workspace.jobs}
    assert policies["acme"].max_retries == 0
    assert policies["globex"].initial_delay.total_seconds() == 10
    assert policies["globex"].retryable_error_patterns == ("ConnectionError", "Rate limit exceeded")
    assert policies["initech"].retryable_error_patterns == ("TimeoutError",)
