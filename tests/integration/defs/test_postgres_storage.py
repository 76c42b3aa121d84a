"""The PostgreSQL storage with a real server."""

import dagster as dg
import pytest
from dagster._core.storage.dagster_run import DagsterRun
from dagster._core.utils import make_new_run_id

from orchestration.defs.postgres_storage import PostgresStorage

TENANTS = ("acme", "globex", "initech")


@pytest.fixture
def runs(postgres_url):
    storage = PostgresStorage.from_config_value(None, {"postgres_url": postgres_url()})
    yield storage.run_storage
    storage.run_storage.dispose()


def make_run(tenant: str, **tags: str) -> DagsterRun:
    return DagsterRun(job_name=tenant, run_id=make_new_run_id(), tags={"tenant": tenant, **tags})


def test_runs_are_found_by_their_tags(runs):
    stored = {tenant: runs.add_run(make_run(tenant)) for tenant in TENANTS}
    runs.add_run_tags(stored["globex"].run_id, {"more": "yes"})

    for tenant, run in stored.items():
        [found] = runs.get_runs(dg.RunsFilter(tags={"tenant": tenant}))
        assert found.run_id == run.run_id
    assert [run.job_name for run in runs.get_runs(dg.RunsFilter(tags={"more": "yes"}))] == [
        "globex"
    ]


def test_a_run_whose_tags_cannot_be_stored_is_not_there(runs):
    run = make_run("acme", broken="\0")

    with pytest.raises(ValueError, match="NUL"):
        runs.add_run(run)

    assert list(runs.get_runs()) == []


def test_a_change_of_tags_is_whole_or_nothing(runs):
    run = runs.add_run(make_run("acme"))

    with pytest.raises(ValueError, match="NUL"):
        runs.add_run_tags(run.run_id, {"tenant": "globex", "broken": "\0"})

    [found] = runs.get_runs(dg.RunsFilter(tags={"tenant": "acme"}))
    assert found.tags == {"tenant": "acme"}


def test_a_run_is_stored_in_the_group_that_its_tags_name_and_says_nothing_of_others(runs):
    first = runs.add_run(make_run("acme"))
    named = {
        "dagster/parent_run_id": first.run_id,
        "dagster/root_run_id": first.run_id,
        "orchestration/retry": "launched",
    }

    second = runs.add_run(make_run("acme", **named))

    [found] = runs.get_runs(dg.RunsFilter(run_ids=[second.run_id]))
    assert (found.parent_run_id, found.root_run_id) == (first.run_id, first.run_id)
    assert "orchestration/retry" not in found.tags
    root, group = runs.get_run_group(second.run_id)
    assert (root, [run.run_id for run in group]) == (first.run_id, [first.run_id, second.run_id])
