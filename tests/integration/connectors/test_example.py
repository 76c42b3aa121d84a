"""The example workspace of the repository: it loads, and its data is what it says it is."""

import importlib.util
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orchestration.config import load_workspace
from orchestration.connectors.registry import CATALOG

ROOT = Path(__file__).parents[3]
JOBS = ROOT / "jobs"
ROWS = {
    "acme/airports": ("csv", 7884, 0),
    "globex/cities": ("jsonl", 1183, 0),
    "globex/countries": ("rest", 252, 0),
    "initech/landing_sites": ("parquet", 10643, 0),
    "initech/us_cities": ("sqlite", 3407, 0),
    "initech/us_states": ("csv", 49, 2),
}


@pytest.fixture(scope="module")
def example():
    return load_workspace(ROOT / "runner.yaml", environ={}, catalog=CATALOG)


def test_the_example_has_no_problems(example):
    assert example.problems == ()
    assert [job.id for job in example.jobs if job.source_connector != "rest"] == [
        job_id
        for job_id in sorted([*ROWS, "acme/airports_by_country"])
        if "countries" not in job_id
    ]


def test_every_job_looks_finished(example):
    for job in example.jobs:
        assert job.description, job.id
        assert job.owners, job.id
        assert job.tags, job.id
        assert example.schedules_of(job.id), job.id


def test_its_files_are_small():
    sizes = [path.stat().st_size for path in JOBS.rglob("*") if "__pycache__" not in path.parts]
    assert sum(sizes) < 2_000_000


def test_its_data_is_what_the_packages_hold(tmp_path):
    spec = importlib.util.spec_from_file_location("make_data", JOBS / "make_data.py")
    make_data = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_data)
    for name in ("acme/data", "globex/data", "globex/api", "initech/data"):
        (tmp_path / name).mkdir(parents=True)
    make_data.main(tmp_path)
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(made) == 6
    for name in made:
        assert content(tmp_path / name) == content(JOBS / name), name


def content(path):
    """What a file holds, whichever version of a library wrote it."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".db":
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return list(database.iterdump())
    return path.read_bytes()


@pytest.fixture(scope="module")
def api():
    """The port of the example's server."""
    with subprocess.Popen(
        [sys.executable, JOBS / "globex/api/server.py", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process.stdout.readline().rsplit(":", 1)[1].split("/")[0]
        process.terminate()
        assert process.wait(timeout=10) == 0


@pytest.mark.parametrize("job_id", ROWS)
def test_its_jobs_load_the_rows_that_are_there(example, workspace, api, job_id):
    job = example.job(job_id)
    options = dict(job.task.source.options)
    if "url" in options:
        options["url"] = options["url"].replace("${EXAMPLE_API_PORT:-8089}", api)
    else:
        path = workspace.root / options["path"]
        path.parent.mkdir(parents=True)
        for file in ROOT.glob(options["path"]):
            (path.parent / file.name).write_bytes(file.read_bytes())
    connector, rows, rejected = ROWS[job_id]
    target = {"connector": "duckdb", "options": dict(job.task.target.options)}
    done = workspace.run(connector, options, job=job_id, target=target)
    assert done.exit_code == (1 if rejected else 0)
    assert len(done.all("record_skipped")) == rejected
    tenant, name = job_id.split("/")
    assert done.one("metrics_writing")["row_count"] == rows
    assert workspace.query(f"SELECT count(*) FROM {name}", tenant) == [(rows,)]


def test_the_server_of_the_example_answers_wrong_requests_with_an_error(workspace, api):
    for path in ("nope", "countries?page=0", "countries?page=x", "countries?per_page=1000"):
        done = workspace.run("rest", {"url": f"http://127.0.0.1:{api}/{path}", "max_attempts": 1})
        assert done.exit_code == 2
        assert " answered 40" in done.stderr


def test_the_program_of_the_example_counts_airports(tmp_path):
    report = tmp_path / "out/report.csv"
    done = subprocess.run(
        [sys.executable, JOBS / "acme/airports_by_country.py", report],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = report.read_text().splitlines()
    assert lines[0] == "country,airports,mean_elevation_ft"
    assert len(lines) == 234
    assert sum(int(line.split(",")[1]) for line in lines[1:]) == 7884
    assert "7884 airports in 233 countries" in done.stdout
    assert not report.with_suffix(".part").exists()
