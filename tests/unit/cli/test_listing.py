from dataclasses import replace

import pytest

from orchestration.cli.listing import list_jobs, list_schedules, list_tenants

WARNING = {
    "code": "ORC190",
    "severity": "warning",
    "message": "unknown key `max_retrys`",
    "help": "allowed keys are a, b and c",
    "file": "jobs/acme/orders.yaml",
    "line": 3,
    "column": 5,
}
ERROR = {
    **WARNING,
    "code": "ORC104",
    "severity": "error",
    "file": "jobs/initech/stock.yaml",
}


def row(tenant, name, **changes):
    return {
        "id": f"{tenant}/{name}",
        "tenant": tenant,
        "asset": name,
        "asset_key": [tenant, name],
        "kind": "command",
        "file": f"jobs/{tenant}/{name}.yaml",
        "line": 2,
        "schedules": [],
        "problems": [],
        **changes,
    }


def test_jobs_are_listed_by_id_with_schedules_and_problems_and_broken_ones_too(workspace):
    assert list_jobs(workspace).rows == [
        row("acme", "orders", schedules=["acme-orders"], problems=[WARNING]),
        row("acme", "prices"),
        row("globex", "orders", schedules=["globex-orders"]),
        row(
            "initech",
            "stock",
            asset_key=["initech", "duckdb", "stock"],
            kind=None,
            line=1,
            problems=[ERROR],
        ),
    ]


def test_people_see_a_line_for_each_job(workspace):
    listing = list_jobs(workspace)

    assert listing.header == ("job", "asset", "kind", "schedules", "file", "problems")
    assert listing.cells == [
        (
            "acme/orders",
            "acme/orders",
            "command",
            "acme-orders",
            "jobs/acme/orders.yaml:2",
            "1",
        ),
        ("acme/prices", "acme/prices", "command", "-", "jobs/acme/prices.yaml:2", "-"),
        (
            "globex/orders",
            "globex/orders",
            "command",
            "globex-orders",
            "jobs/globex/orders.yaml:2",
            "-",
        ),
        (
            "initech/stock",
            "initech/duckdb/stock",
            "broken",
            "-",
            "jobs/initech/stock.yaml:1",
            "1",
        ),
    ]


def test_jobs_of_one_tenant_can_be_listed(workspace):
    assert [job["id"] for job in list_jobs(workspace, "acme").rows] == [
        "acme/orders",
        "acme/prices",
    ]


def test_schedules_are_listed_in_the_order_of_the_file(workspace):
    assert list_schedules(workspace).rows == [
        {
            "name": "globex-orders",
            "tenant": "globex",
            "job": "globex/orders",
            "trigger": "* * * * * (UTC)",
            "enabled": True,
            "max_concurrent_runs": 1,
            "tags": {},
            "file": "runner.yaml",
            "line": 7,
        },
        {
            "name": "acme-orders",
            "tenant": "acme",
            "job": "acme/orders",
            "trigger": "* * * * * (UTC)",
            "enabled": False,
            "max_concurrent_runs": 1,
            "tags": {"team": "a"},
            "file": "runner.yaml",
            "line": 11,
        },
    ]
    assert list_schedules(workspace, "acme").cells == [
        ("acme-orders", "acme/orders", "* * * * * (UTC)", "no", "runner.yaml:11")
    ]


def test_tenants_that_only_have_jobs_are_listed_with_the_limit_that_holds_for_them(workspace):
    listing = list_tenants(workspace)

    assert listing.rows == [
        {"tenant": "acme", "concurrency": 3, "jobs": 2, "broken_jobs": 0, "schedules": 1},
        {"tenant": "globex", "concurrency": 1, "jobs": 1, "broken_jobs": 0, "schedules": 1},
        {"tenant": "initech", "concurrency": 2, "jobs": 0, "broken_jobs": 1, "schedules": 0},
    ]
    assert listing.cells[0] == ("acme", "3", "2", "0", "1")


class Counted(list):
    """A list that knows how often it was gone through."""

    def __init__(self, items):
        super().__init__(items)
        self.times = 0

    def __iter__(self):
        self.times += 1
        return super().__iter__()


@pytest.mark.parametrize("make_listing", [list_jobs, list_schedules, list_tenants])
def test_nothing_is_gone_through_once_for_each_row(workspace, make_listing):
    fields = ("jobs", "broken_jobs", "schedules", "problems")
    counted = {name: Counted(getattr(workspace, name)) for name in fields}

    listing = make_listing(replace(workspace, **counted))

    assert listing == make_listing(workspace)
    assert {name: items.times for name, items in counted.items() if items.times > 1} == {}
