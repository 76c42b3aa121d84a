"""Whatever happens to one file, the others load as before, and nothing raises."""

import json
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.config import EMPTY_CATALOG, load_workspace
from orchestration.config.files import Memory
from orchestration.config.parse import parse
from orchestration.domain.problem import format_problem
from orchestration.domain.retry import NO_RETRIES

ROOT = "/workspace"
RUNNER = b"""\
runner:
  mode: orchestrated
  orchestrator:
    type: dagster
    schedules:
      - &hourly
        name: orders_hourly
        config: jobs/acme/orders.yaml
        cron: "0 * * * *"
        enabled: true
        timezone: Europe/Berlin
        max_concurrent_runs: 2
        tags: {environment: production}
      - name: users_every_six_hours
        config: /app/jobs/globex/users.yaml
        interval_seconds: 21600
        spread: 1h
        catch_up: all
        catch_up_window: 6h
        start: 2026-01-01
        end: 2099-12-31T18:00:00+01:00
      - {<<: *hourly, name: reports_hourly, config: jobs/initech/reports.yaml}
      - name: reports_after_orders
        config: jobs/initech/reports.yaml
        on_asset: acme/orders
        overlap: skip
        priority: high
      - {name: users_again, config: jobs/globex/users.yaml, continuous: true}
    concurrency_per_tenant: 1
  connectors:
    csv: {concurrency: 2, retry_config: {jitter: full}, breaker: {within: 5m}}
  retry_config: {max_retries: 1}
  breaker: {failures: 3}
  postgres_url: ${DATABASE_URL}
  graceful_shutdown_timeout: 30s
  tenants:
    acme: {concurrency: 3, env: {REGION: "eu"}, secrets: {provider: env, prefix: ACME_}}
    globex: {priority: low, secrets: {provider: file, path: secrets}}
"""
JOBS = {
    "jobs/acme/orders.yaml": b"""\
tenant_id: acme
environment: prod
source_connector: csv
target_connector: duckdb
asset: orders
owners: ["team:data", data@example.com]
source:
  files:
    - {path: orders.csv, object: order}
  password: ${PASSWORD}
target: {path: warehouse.duckdb}
retry_config:
  max_retries: 3
  backoff_multiplier: 1.5
  retryable_exit_codes: [1, 2]
  retryable_error_patterns:
    - "timeout|refused"
  retry_on_signal: [SIGKILL]
  error_classes:
    - {name: auth, disposition: permanent, exit_codes: [77], patterns: ["401"]}
  budget: {retries: 20, per: 1h}
timeout: 1h30m
""",
    "jobs/globex/users.yaml": b"""\
# the users, by a program of ours
command: [python, scripts/users.py, "--since", '2024-01-01']
description: |
  All users
  of the shop.
env:
  REGION: "${REGION:-eu}"
tags: &tags
  domain: people
""",
    "jobs/initech/reports.yaml": b"command: [./reports]\nasset: tps_reports\n",
}
FILES = {"runner.yaml": RUNNER, **JOBS}
FRAGMENTS = [
    *(line + b"\n" for content in FILES.values() for line in content.splitlines()),
    *(b"\t", b"&a ", b"*a", b"<<: *a\n", b"!!python/name:os.system ", b"---\n", b"{", b"]", b"'"),
    *(b'"', b"${", b"- ", b": ", b"? ", b"|", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xe2\x80\xa8"),
    *(b"yes", b"0o7", b"1:30", b".inf", b"[" * 200, b"a: " * 200, b"\n" * 50, b"# ", b"%YAML 9\n"),
]


class Kept:
    """A store of last good texts, in memory."""

    def __init__(self, texts):
        self.texts = texts

    def read(self, file):
        return self.texts.get(file)

    def write(self, texts):
        self.texts = dict(texts)


def load(files, kept=None):
    memory = Memory({f"{ROOT}/{name}": content for name, content in files.items()})
    runner = Path(ROOT, "runner.yaml")
    return load_workspace(runner, environ={}, catalog=EMPTY_CATALOG, files=memory, last_good=kept)


HEALTHY = load(FILES)
HEALTHY_JOBS = {job.id: job for job in HEALTHY.jobs}
NAMES = dict(zip(HEALTHY_JOBS, JOBS, strict=True))


@st.composite
def damages(draw, content):
    """`content` after one to four accidents."""
    for _ in range(draw(st.integers(1, 4))):
        content = draw(st.sampled_from([flip, cut, insert, shuffle, repeat]))(draw, content)
    return content


def flip(draw, content):
    if not content:
        return content
    at = draw(st.integers(0, len(content) - 1))
    return content[:at] + bytes([draw(st.integers(0, 255))]) + content[at + 1 :]


def cut(draw, content):
    start = draw(st.integers(0, len(content)))
    return content[:start] + content[start + draw(st.integers(0, 40)) :]


def insert(draw, content):
    at = draw(st.integers(0, len(content)))
    return content[:at] + draw(st.sampled_from(FRAGMENTS)) + content[at:]


def shuffle(draw, content):
    return b"".join(draw(st.permutations(content.splitlines(keepends=True))))


def repeat(draw, content):
    lines = content.splitlines(keepends=True) or [b""]
    at = draw(st.integers(0, len(lines) - 1))
    return b"".join((*lines[:at], lines[at] * 2, *lines[at + 1 :]))


@st.composite
def damaged_files(draw):
    name = draw(st.sampled_from(sorted(FILES)))
    return name, {**FILES, name: draw(damages(FILES[name]))}


def readable_names(content):
    """The names of the schedules that a damaged runner.yaml still has."""
    document = parse(content, file="runner.yaml")
    if not document.complete:
        return {schedule.name for schedule in HEALTHY.schedules}
    node = document.data
    for key in ("runner", "orchestrator", "schedules"):
        node = node.get(key) if isinstance(node, dict) else None
    entries = [entry for entry in node or () if isinstance(entry, dict)]
    return {name for entry in entries if isinstance(name := entry.get("name"), str)}


def own_parts(job, damaged):
    """The job without what runner.yaml says for it, where that is the file that is damaged."""
    return replace(job, retry=NO_RETRIES, breaker=None) if damaged == "runner.yaml" else job


def assert_whole(workspace):
    """Every job is somewhere, no two share a name, every problem can be shown, and none is ours."""
    everything = [*workspace.jobs, *workspace.broken_jobs]
    assert len(everything) == len(JOBS)
    assert len({job.id.casefold() for job in everything}) == len(JOBS)
    assert len({"__".join(job.asset_key).casefold() for job in everything}) == len(JOBS)
    assert all(job.problems for job in workspace.broken_jobs)
    assert "ORC099" not in {problem.code for problem in workspace.problems}
    json.dumps([format_problem(problem) for problem in workspace.problems]).encode()


@settings(max_examples=1000, deadline=None)
@given(damaged_files())
def test_damage_to_one_file_gives_problems_or_loads_and_costs_no_neighbour(damaged):
    name, files = damaged

    workspace = load(files)

    assert_whole(workspace)
    found = {job.id: job for job in workspace.jobs}
    for job_id, file in NAMES.items():
        if file != name:
            assert own_parts(found[job_id], name) == own_parts(HEALTHY_JOBS[job_id], name)


@settings(max_examples=1000, deadline=None)
@given(damaged_files())
def test_what_loaded_well_before_the_damage_keeps_running(damaged):
    name, files = damaged
    kept = Kept({name: content.decode() for name, content in FILES.items()})

    workspace = load(files, kept)

    assert_whole(workspace)
    assert workspace.broken_jobs == ()
    stale = {job.location.file for job in workspace.jobs if job.stale}
    errors = {problem.location.file for problem in workspace.problems if problem.is_error}
    assert stale == errors - {"runner.yaml"}
    # Damage may also give a job another asset, and a schedule that waits for the old one is lost.
    if name == "runner.yaml" and errors == {"runner.yaml"}:
        names = {schedule.name for schedule in workspace.schedules}
        assert names >= {s.name for s in HEALTHY.schedules} & readable_names(files["runner.yaml"])
