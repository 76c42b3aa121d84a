from types import SimpleNamespace

import pytest

from orchestration.config.asset_links import AssetLinks, BadLink
from orchestration.config.workspace_rules import AMBIGUOUS_ASSET, ASSET_CIRCLE, UNKNOWN_ASSET

TENANTS = ("acme", "globex", "initech")


class FakeJob:
    def __init__(self, tenant, name, target="duckdb"):
        self.id = f"{tenant}/{name}"
        self.asset_key = (tenant, target, name)


def entry(asset):
    return SimpleNamespace(fields=SimpleNamespace(name="s", on_asset=asset), place=())


@pytest.fixture
def links():
    jobs = [FakeJob(tenant, name) for tenant in TENANTS for name in ("orders", "users")]
    return AssetLinks([*jobs, FakeJob("acme", "users", target="parquet")])


def test_an_asset_is_found_by_its_tenant_and_name_or_by_its_whole_key(links):
    assert links.add(entry("globex/orders"), "acme/orders") == ("globex", "duckdb", "orders")
    assert links.add(entry("acme/parquet/users"), "initech/users") == ("acme", "parquet", "users")


def test_two_assets_of_one_tenant_and_name_are_told_apart(links):
    found = links.add(entry("acme/users"), "globex/users")

    assert isinstance(found, BadLink)
    assert found.rule is AMBIGUOUS_ASSET
    assert found.values["keys"] == "`acme/duckdb/users`, `acme/parquet/users`"


def test_of_an_unknown_asset_the_nearest_is_named(links):
    found = links.add(entry("initech/ordrs"), "globex/users")

    assert isinstance(found, BadLink)
    assert (found.rule, found.hint) == (UNKNOWN_ASSET, "did you mean `initech/orders`?")


@pytest.mark.parametrize(
    "order", [("globex", "initech"), ("initech", "globex")], ids=["downwards", "upwards"]
)
def test_a_circle_is_shown_from_the_job_that_would_close_it(links, order):
    above = {"globex": "acme", "initech": "globex"}
    for tenant in order:
        source = f"{above[tenant]}/orders"
        assert links.add(entry(source), f"{tenant}/orders") == (above[tenant], "duckdb", "orders")
    links.add(entry("globex/orders"), "globex/users")  # leads nowhere

    found = links.add(entry("initech/orders"), "acme/orders")

    assert isinstance(found, BadLink)
    assert found.rule is ASSET_CIRCLE
    assert found.values["circle"] == (
        "`acme/orders` -> `globex/orders` -> `initech/orders` -> `acme/orders`"
    )
