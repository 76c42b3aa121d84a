"""The generated files are up to date; run with UPDATE_EXPECTED=1 to write them anew."""

import json
import os
from pathlib import Path

import pytest

from orchestration.config import render_schema
from orchestration.config.reference import (
    render_job_reference,
    render_problem_reference,
    render_runner_reference,
)
from orchestration.connectors.registry import CATALOG

ROOT = Path(__file__).parents[3]
SCHEMAS = "orchestration/config/schemas"


def as_text(schema):
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (f"{SCHEMAS}/runner.json", as_text(render_schema("runner", CATALOG))),
        (f"{SCHEMAS}/job.json", as_text(render_schema("job", CATALOG))),
        ("docs/reference/runner.md", render_runner_reference(CATALOG)),
        ("docs/reference/job.md", render_job_reference(CATALOG)),
        ("docs/reference/problems.md", render_problem_reference()),
    ],
    ids=["runner.json", "job.json", "runner.md", "job.md", "problems.md"],
)
def test_the_generated_file_says_what_the_models_say(name, text):
    path = ROOT / name
    if os.environ.get("UPDATE_EXPECTED"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
