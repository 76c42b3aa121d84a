import pytest
import yaml

from orchestration.cli.output import WIDE

BROKEN = {
    "code": "ORC104",
    "severity": "error",
    "message": "unknown key `comand` in a job file",
    "file": "jobs/initech/orders.yaml",
    "line": 3,
    "column": 1,
}


def job(tenant, *schedules, **changes):
    return {
        "id": f"{tenant}/orders",
        "tenant": tenant,
        "asset": "orders",
        "asset_key": [tenant, "orders"],
        "kind": "command",
        "file": f"jobs/{tenant}/orders.yaml",
        "line": 1,
        "schedules": list(schedules),
        "problems": [],
        **changes,
    }


def test_scripts_get_all_jobs_the_broken_ones_too(workspace):
    workspace.edit("jobs/initech/orders.yaml", "command:", "comand:")

    done = workspace.run("list", "jobs", "--format", "json")

    *healthy, broken = done.json
    problems = broken.pop("problems")
    assert (done.code, done.err) == (0, "")
    assert healthy == [job("acme", "acme_orders"), job("globex", "globex_orders")]
    assert {**broken, "problems": []} == job("initech", kind=None, line=3)
    assert BROKEN in [{k: v for k, v in p.items() if k != "help"} for p in problems]


def test_yaml_says_the_same_as_json(workspace):
    for kind in ("jobs", "schedules", "tenants"):
        as_json = workspace.run("list", kind, "--format", "json")
        as_yaml = workspace.run("list", kind, "--format", "yaml")

        assert yaml.safe_load(as_yaml.out) == as_json.json


@pytest.mark.parametrize(
    "command",
    [
        ("list", "jobs"),
        ("list", "schedules"),
        ("list", "tenants"),
        ("schedule", "list"),
        ("breaker", "list"),
        ("retry", "list"),
        ("dlq", "list"),
        ("dlq", "replay"),
    ],
    ids=" ".join,
)
def test_a_tenant_that_does_not_exist_is_not_taken_for_one_with_nothing(workspace, command):
    workspace.edit("runner.yaml", "  tenants:\n", "  tenants:\n    idle: {}\n")

    done = workspace.run(*command, "--tenant", "nope")

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error ORC629: there is no tenant `nope`\n"
        "   help: the tenants are acme, globex, idle, initech\n"
    )
    assert workspace.run(*command, "--tenant", "idle").code == 0


def test_schedules_and_tenants_are_listed_as_the_files_say(workspace):
    schedules = workspace.run("list", "schedules", "--format", "json").json
    tenants = workspace.run("list", "tenants", "--format", "json").json

    assert schedules[1] == {
        "name": "globex_orders",
        "tenant": "globex",
        "job": "globex/orders",
        "trigger": "0 4 * * * (UTC)",
        "enabled": False,
        "max_concurrent_runs": 1,
        "tags": {},
        "file": "runner.yaml",
        "line": 9,
    }
    assert tenants == [
        {"tenant": "acme", "concurrency": 3, "jobs": 1, "broken_jobs": 0, "schedules": 1},
        {"tenant": "globex", "concurrency": 1, "jobs": 1, "broken_jobs": 0, "schedules": 1},
        {"tenant": "initech", "concurrency": 1, "jobs": 1, "broken_jobs": 0, "schedules": 0},
    ]


def test_people_get_a_table_that_no_pipe_cuts(workspace):
    long = "n" * 60
    workspace.write_job("acme", "true", name=long)

    done = workspace.run("list", "jobs", "--tenant", "acme")

    lines = [line.split() for line in done.out.splitlines()]
    assert max(map(len, done.out.splitlines())) < WIDE
    assert lines == [
        ["job", "asset", "kind", "schedules", "file", "problems"],
        [f"acme/{long}", f"acme/{long}", "command", "-", f"jobs/acme/{long}.yaml:1", "-"],
        [
            "acme/orders",
            "acme/orders",
            "command",
            "acme_orders",
            "jobs/acme/orders.yaml:1",
            "-",
        ],
    ]


def test_an_empty_list_says_so(workspace):
    done = workspace.run("list", "schedules", "--tenant", "initech")

    assert (done.code, done.out) == (0, "There are no schedules.\n")
