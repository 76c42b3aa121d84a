from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.cli.doctor.finding import fail, fine, warn
from orchestration.cli.doctor.surroundings import (
    check_database,
    check_disk,
    check_files,
    check_secrets,
    check_versions,
)
from orchestration.cli.errors import DatabaseError
from orchestration.domain.problem import Location, Problem, Severity
from orchestration.domain.secrets import FileSecrets
from orchestration.domain.workspace import Tenant

INSTALL = "install the package again, with the versions that it names"


@pytest.mark.parametrize(
    ("severity", "judge", "text"),
    [(Severity.ERROR, fail, "1 error in 1 file"), (Severity.WARNING, warn, "1 warning in 1 file")],
)
def test_problems_of_files_are_counted(bench, severity, judge, text):
    problem = Problem(
        code="ORC104",
        severity=severity,
        message="unknown key `x`",
        help="remove it",
        location=Location(file="runner.yaml"),
    )
    seen = bench.observe(replace(bench.workspace, problems=(problem,)))

    assert list(check_files(seen)) == [
        judge(f"3 jobs, 3 schedules, 3 tenants: {text}", help="see `orchestrate validate`")
    ]


def test_packages_that_do_not_belong_together_are_an_error(bench):
    seen = bench.observe()
    mixed = {**seen.installed, "dagster-webserver": "1.13.26", "dagster-k8s": "0.29.26"}

    found = list(check_versions(replace(seen, installed=mixed, live=None)))

    assert found[:2] == [
        fail(
            "the packages of Dagster do not belong together: dagster 1.13.27, dagster-graphql"
            " 1.13.27, dagster-pipes 1.13.27, dagster-shared 1.13.27, dagster-webserver 1.13.26",
            help=INSTALL,
        ),
        fail(
            "the libraries of Dagster do not belong together: dagster-postgres 0.29.27, dagster-k8s"
            " 0.29.26",
            help=INSTALL,
        ),
    ]


def test_what_runs_in_an_older_version_than_is_installed_wants_a_restart(bench):
    seen = bench.observe()
    older = replace(seen.instance, version="0.0.9")

    assert list(check_versions(replace(seen, instance=older))) == [
        warn(
            "orchestration 0.0.9 is running, and 0.1.0 is installed",
            help="restart `orchestrate up`",
        ),
        fine("orchestration 0.1.0, dagster 1.13.27, Python 3.12.1"),
    ]


@pytest.mark.parametrize(
    ("mib", "finding"),
    [
        (
            99,
            fail("99 MiB are free for /srv", help="make room, or move the folder to a larger disk"),
        ),
        (
            1023,
            warn(
                "1.0 GiB are free for /srv", help="make room, or move the folder to a larger disk"
            ),
        ),
        (1024, fine("1.0 GiB are free for /srv")),
    ],
)
def test_a_disk_with_little_room_is_told_in_time(bench, mib, finding):
    seen = bench.observe(free_bytes={Path("/srv"): mib * 2**20})

    assert list(check_disk(seen)) == [finding]


def test_each_tenant_with_files_of_secrets_is_judged(bench):
    path = Path("/run/secrets")
    tenants = {
        name: Tenant(name=name, concurrency=1, secrets=FileSecrets(path=path / name))
        for name in ("acme", "globex")
    }
    error = DatabaseError("others may read it", help="chmod 0400 it")
    seen = bench.observe(
        replace(bench.workspace, tenants=tenants), secrets={"acme": error, "globex": None}
    )

    assert list(check_secrets(seen)) == [
        fail("tenant acme: others may read it", help="chmod 0400 it"),
        fine("tenant globex: /run/secrets/globex is ours alone"),
    ]


def test_a_database_is_judged_where_there_is_one(bench):
    settings = replace(bench.workspace.settings, postgres_url="DATABASE_URL")
    seen = bench.observe(replace(bench.workspace, settings=settings))
    error = DatabaseError("it does not answer", help="start it")

    assert list(check_database(bench.observe())) == []
    assert list(check_database(seen)) == [fine("the PostgreSQL database in DATABASE_URL answers")]
    assert list(check_database(replace(seen, database=error))) == [
        fail("it does not answer", help="start it")
    ]
