"""Each bad file beside the exact text of its problems.

`jobs/*.yaml` is loaded as `jobs/acme/orders.yaml` of a workspace that is right otherwise,
`runner/*.yaml` as its runner.yaml; a folder of `workspaces/` is a workspace of its own, whose
symbolic links are listed in `links.txt`. To write the expected texts anew after a change of
messages, run with UPDATE_EXPECTED=1 and read the difference.
"""

import os
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from orchestration.config import load_workspace
from orchestration.config.files import Memory
from orchestration.domain.problem import format_problem

HERE = Path(__file__).parent
ROOT = "/workspace"
ENVIRON = {"TEAM": "data", "EMPTY": "", "MYSECRET": "hunter2 Swordfish, 9"}
RUNNER = b"runner: {}\n"
JOBS = {
    "jobs/acme/orders.yaml": b"command: [python, orders.py]\n",
    "jobs/globex/users.yaml": b"command: [python, users.py]\n",
    "jobs/initech/reports.yaml": b"command: [python, reports.py]\n",
}


class CsvOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    path: str
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    batch_size: int = Field(default=1000, ge=1)
    header: bool = True
    skip: int | list[int] = 0
    encoding: Literal["utf-8", "latin-1"] = "utf-8"

    @field_validator("path")
    @classmethod
    def check_suffix(cls, path):
        if not path.endswith(".csv"):
            raise ValueError("the path has to end with .csv")
        return path


class DuckdbOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    path: str
    password: str = ""


MODELS = {"source": {"csv": CsvOptions}, "target": {"duckdb": DuckdbOptions}}


class Catalog:
    def names(self, role):
        return frozenset(MODELS[role])

    def options_model(self, role, name):
        return MODELS[role].get(name)


def load(files, links=None):
    memory = Memory(
        {f"{ROOT}/{name}": content for name, content in files.items()},
        {f"{ROOT}/{name}": target for name, target in (links or {}).items()},
    )
    return load_workspace(
        Path(ROOT, "runner.yaml"), environ=ENVIRON, catalog=Catalog(), files=memory
    )


def cases():
    jobs = [pytest.param(path, id=f"jobs-{path.stem}") for path in HERE.glob("jobs/*.yaml")]
    runner = [pytest.param(path, id=f"runner-{path.stem}") for path in HERE.glob("runner/*.yaml")]
    folders = [path for path in HERE.glob("workspaces/*") if path.is_dir()]
    return jobs + runner + [pytest.param(path, id=f"workspaces-{path.name}") for path in folders]


def load_case(case):
    if case.is_dir():
        return load(
            {str(path.relative_to(case)): path.read_bytes() for path in case.rglob("*.y*ml")},
            dict(line.split(" -> ") for line in read_lines(case / "links.txt")),
        )
    name = "runner.yaml" if case.parent.name == "runner" else "jobs/acme/orders.yaml"
    return load({"runner.yaml": RUNNER, **JOBS, name: case.read_bytes()})


def read_lines(path):
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@pytest.mark.parametrize("case", cases())
def test_the_problems_of_a_bad_file_are_told_exactly(case):
    expected = case.parent / f"{case.stem}.txt"

    workspace = load_case(case)

    text = "".join(f"{format_problem(problem)}\n\n" for problem in workspace.problems)
    if os.environ.get("UPDATE_EXPECTED"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")
    assert text


@pytest.mark.parametrize("case", [*HERE.glob("jobs/*.yaml"), *HERE.glob("runner/*.yaml")])
def test_the_jobs_of_other_tenants_load_beside_a_bad_file(case):
    workspace = load_case(case)

    others = [job for job in workspace.jobs if job.name != "orders"]
    commands = {job.id: job.task.command for job in others}
    assert commands == {
        "globex/users": ("python", "users.py"),
        "initech/reports": ("python", "reports.py"),
    }
    assert len(workspace.jobs) + len(workspace.broken_jobs) == 3
