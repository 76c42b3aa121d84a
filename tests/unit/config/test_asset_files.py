"""Asset definitions: the files that `asset_path` of jobs names."""

from datetime import timedelta
from pathlib import Path

import pytest

from orchestration.connectors.registry import CATALOG
from orchestration.domain.records import AssetSchema, Dedup, RecordField, Validation

JOB = """\
source_connector: csv
source: {path: orders.csv}
target_connector: duckdb
target: {path: warehouse.duckdb}
asset_path: assets/orders.yaml
"""
DEFINITION = """\
name: orders
fields:
  - {name: id, type: integer, required: true, description: The number of the order.}
  - {name: total, type: decimal}
"""
FIELDS = (
    RecordField(name="id", type="integer", required=True, description="The number of the order."),
    RecordField(name="total", type="number"),
)
# As the product that this one replaces writes it.
ORIGIN = """\
$schema: schemas/odcs/dativo-odcs-3.0.2-extended.schema.json
apiVersion: v3.0.2
kind: DataContract
name: stripe_customers
version: "1.0.0"
status: active
source_type: stripe
object: customers
domain: customer-data
dataProduct: customer-360
tenant: acme
team: {owner: data-team@example.com}
compliance: {classification: [PII], retention_days: 90}
schema:
  - name: id
    type: string
    required: true
    unique: true
    physicalType: VARCHAR(255)
    businessName: Customer ID
    examples: [cus_1]
  - {name: email, type: string, classification: PII, quality: [{name: check}]}
  - {name: created, type: timestamp, required: true}
  - {name: balance, type: double}
  - {name: metadata, type: object}
data_quality: {monitoring: {enabled: true}}
change_management: {policy: non-breaking}
description: {purpose: Customers}
tags: [stripe]
target: {file_format: parquet, mode: strict}
contractCreatedTs: "2024-01-15T10:30:00Z"
"""
TENANTS = ("acme", "globex", "initech")


def files(definition=DEFINITION, job=JOB):
    return {"jobs/acme/orders.yaml": job, "assets/orders.yaml": definition}


@pytest.fixture
def load_all(load):
    return lambda texts, **arguments: load(texts, catalog=CATALOG, **arguments)


def test_a_job_has_the_schema_that_its_definition_gives(load_all):
    workspace = load_all(files())
    assert workspace.problems == ()
    assert workspace.jobs[0].schema == AssetSchema(
        fields=FIELDS, validation=Validation.STRICT, file="assets/orders.yaml"
    )


def test_the_mode_and_dedup_are_those_of_the_job(load_all):
    more = "schema_validation_mode: warn\ndedup: {key: [id], within: 90m, max_keys: 5}\n"
    (job,) = load_all(files(job=JOB + more)).jobs
    assert job.schema.validation is Validation.WARN
    assert job.dedup == Dedup(key=("id",), within=timedelta(minutes=90), max_keys=5)


def test_dedup_remembers_a_million_records_for_a_day(load_all):
    (job,) = load_all(files(job=JOB + "dedup: {key: [id]}\n")).jobs
    assert job.dedup == Dedup(key=("id",), within=timedelta(hours=24), max_keys=1_000_000)


def test_one_definition_serves_the_jobs_of_several_tenants(load_all):
    texts = {f"jobs/{tenant}/orders.yaml": JOB for tenant in TENANTS}
    workspace = load_all({**texts, "assets/orders.yaml": DEFINITION})
    assert {job.tenant: job.schema.fields for job in workspace.jobs} == dict.fromkeys(
        TENANTS, FIELDS
    )
    assert workspace.watched.count(Path("/workspace/assets/orders.yaml")) == 1


def test_a_container_path_falls_back_to_the_workspace(load_all):
    workspace = load_all(files(job=JOB.replace("assets/", "/app/assets/")))
    assert workspace.jobs[0].schema.fields == FIELDS


@pytest.mark.parametrize("nested", [False, True])
def test_definitions_of_the_product_that_this_one_replaces_load(load_all, nested):
    indented = ORIGIN.replace("\n", "\n  ")
    workspace = load_all(files(definition=f"asset:\n  {indented}" if nested else ORIGIN))
    fields = workspace.jobs[0].schema.fields
    assert [(field.name, field.type, field.required) for field in fields] == [
        ("id", "string", True),
        ("email", "string", False),
        ("created", "timestamp", True),
        ("balance", "number", False),
        ("metadata", "object", False),
    ]
    assert [(p.code, p.is_error, p.location.file) for p in workspace.problems] == [
        ("ORC501", False, "assets/orders.yaml")
    ]


def test_a_definition_that_breaks_leaves_its_last_good_version_in_force(load_all, kept):
    store = kept()
    load_all(files(), last_good=store)
    workspace = load_all(files(definition="fields: 5\n"), last_good=store)
    (job,) = workspace.jobs
    assert (job.stale, job.schema.fields) == (True, FIELDS)
    assert [(p.code, p.location.file) for p in workspace.problems] == [
        ("ORC102", "assets/orders.yaml"),
        ("ORC208", "jobs/acme/orders.yaml"),
        ("ORC217", "jobs/acme/orders.yaml"),
    ]
    again = load_all(files(definition="fields: 5\n"), last_good=store)
    assert again.jobs[0].schema.fields == FIELDS


def test_a_definition_that_vanishes_leaves_its_last_good_version_in_force(load_all, kept):
    store = kept()
    load_all(files(), last_good=store)
    workspace = load_all({"jobs/acme/orders.yaml": JOB}, last_good=store)
    assert workspace.jobs[0].schema.fields == FIELDS
    assert [p.code for p in workspace.problems] == ["ORC208", "ORC201"]


def test_without_a_last_good_version_the_job_is_broken(load_all):
    workspace = load_all(files(definition="fields: 5\n"))
    assert [job.id for job in workspace.broken_jobs] == ["acme/orders"]
    assert Path("/workspace/assets/orders.yaml") in workspace.watched


def test_other_usual_words_for_types_are_understood(load_all):
    words = {
        "string": "text varchar",
        "integer": "int bigint long",
        "number": "double float decimal",
        "boolean": "bool",
        "timestamp": "datetime",
        "binary": "bytes",
        "object": "json map struct",
        "array": "list",
    }
    meant = [(word, kind) for kind, every in words.items() for word in every.split()]
    columns = "".join(f"  - {{name: a_{word}, type: {word}}}\n" for word, _ in meant)
    (job, *_) = load_all(files(definition=f"fields:\n{columns}")).jobs
    assert [field.type for field in job.schema.fields] == [kind for _, kind in meant]
