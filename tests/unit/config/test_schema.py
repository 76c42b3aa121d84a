import jsonschema
import pytest
from pydantic import BaseModel, ConfigDict

from orchestration.config import EMPTY_CATALOG, render_schema
from orchestration.config.parse import parse


class Page(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: int = 10


class ShopOptions(BaseModel):
    """Options of the shop."""

    model_config = ConfigDict(extra="forbid")

    url: str
    page: Page = Page()


class Catalog:
    def names(self, role):
        return frozenset({"shop"} if role == "source" else {"lake"})

    def options_model(self, role, name):
        return ShopOptions if (role, name) == ("source", "shop") else None


def check(kind, text, catalog=EMPTY_CATALOG):
    validator = jsonschema.Draft7Validator(render_schema(kind, catalog))
    data = parse(text.encode(), file="x.yaml").data
    return sorted("/".join(map(str, error.absolute_path)) for error in validator.iter_errors(data))


@pytest.mark.parametrize("kind", ["runner", "job"])
@pytest.mark.parametrize("catalog", [EMPTY_CATALOG, Catalog()])
def test_the_schemas_are_schemas(kind, catalog):
    jsonschema.Draft7Validator.check_schema(render_schema(kind, catalog))


@pytest.mark.parametrize(
    "text",
    [
        "runner: {}",
        "runner: {orchestrator: {schedules: , concurrency_per_tenant: '${N}'}, tenants: {acme: }}",
        "runner: {orchestrator: {schedules: [{name: a, config: b, cron: '@daily'}]}}",
        "runner: {orchestrator: {schedules: [{name: a, config: b, cron: ['0 * * * *']}]}}",
        "runner: {metrics: {a: 1}, notifications: {}, mode: oneshot}",
        "runner: {orchestrator: {schedules: [{name: a, config: b, once: 7, start: '2026-01-01'}]}}",
        "runner: {orchestrator: {schedules: [{name: a, config: b, on_asset: a/b, priority: low}]}}",
        "runner: {tenants: {acme: {secrets: {provider: env, prefix: ACME_}, priority: high}}}",
        "runner: {connectors: {shop: {concurrency: 4}}, postgres_url: '${URL}'}",
    ],
)
def test_good_runners_pass(text):
    assert check("runner", text) == []


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a: 1", ["", ""]),
        ("runner: {orchestrator: {schedules: [{name: a}]}}", ["runner/orchestrator"]),
        (
            "runner: {orchestrator: {schedules: [{name: a, config: b, once: 1, cron: '@daily'}]}}",
            ["runner/orchestrator"],
        ),
        (
            "runner: {tenants: {acme: {secrets: {provider: env, path: x}}, b: {priority: 5}}}",
            ["runner/tenants"],
        ),
        ("runner: {mode: x, dev: {services: 5}}", ["runner/dev", "runner/mode"]),
    ],
)
def test_bad_runners_are_marked(text, places):
    assert check("runner", text) == places


@pytest.mark.parametrize(
    "text",
    [
        "command: [x]",
        "{command: [x], timeout: 1h30m, grace_period: '${GRACE}', env: {A: b}}",
        "{source_connector: shop, target_connector: lake, source: {url: x, page: {size: 5}}}",
        "{source_connector: shop, target_connector: lake, source: {url: x, page: {size: '${N}'}}}",
        "{source_connector: shop, target_connector: elsewhere, source: {files: []}}",
        "{source_connector: other, target_connector: lake, source: {files: []}}",
        "{source_connector: shop, target_connector: lake, command: [x], source: {files: []}}",
        "{command: [x], retry_config: {max_retries: 1, retryable_errors: }, plugins: [a]}",
    ],
)
def test_good_jobs_pass(text):
    assert check("job", text, Catalog()) == []


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("asset: x", [""]),
        ("command: x y", ["command"]),
        ("{command: [x], timeout: 2 hours, tags: {a: 1}, zzz: 1}", ["", "tags", "timeout"]),
        ("{source_connector: shop, target_connector: lake, source: {page: {size: x}}}", ["source"]),
    ],
)
def test_bad_jobs_are_marked(text, places):
    found = check("job", text, Catalog())
    assert {place.split("/")[0] for place in found} == set(places)
