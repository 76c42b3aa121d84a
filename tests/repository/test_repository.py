"""What has to agree between the files at the root of the repository, and the size of the code."""

import ast
import re
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

import pytest

import orchestration

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_dagster_family_is_pinned_to_one_release():
    requirements = chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    family = [requirement for requirement in requirements if requirement.startswith("dagster")]
    pins = {
        requirement.partition("==")[0]: requirement.partition("==")[2] for requirement in family
    }
    core = pins.pop("dagster")
    # Libraries of the family count 0.(minor + 16).patch where the core counts 1.minor.patch.
    _, minor, patch = core.split(".")
    assert pins.pop("dagster-webserver") == core
    assert set(pins.values()) == {f"0.{int(minor) + 16}.{patch}"}


def test_the_version_is_the_same_everywhere():
    changes = (ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## \[([^\]]+)\]", changes, re.MULTILINE)
    assert (PROJECT["version"], newest and newest[1]) == (orchestration.__version__,) * 2


def test_makefile_and_image_install_with_the_same_uv():
    makefile = re.search(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    image = re.search(r"^ARG UV_VERSION=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert makefile
    assert image
    assert makefile[1] == image[1]


@pytest.mark.parametrize("target", ["install", "dev", "test", "lint", "check", "bench"])
def test_make_explains_the_target(target):
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.search(rf"^{target} +[A-Z]", done.stdout, re.MULTILINE)


def test_check_runs_every_judge():
    done = subprocess.run(
        ["make", "--dry-run", "check"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for judge in (
        "ruff check",
        "ruff format --check",
        "pyright",
        "lint-imports",
        "uv lock --check",
    ):
        assert f"bin/{judge}" in done.stdout


def test_contributing_fits_a_screen():
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 60


def test_no_module_has_over_400_lines_and_no_function_over_50():
    sizes = {
        f"{module.relative_to(ROOT)}:{name}": lines
        for module in sorted((ROOT / "orchestration").rglob("*.py"))
        for name, lines in function_sizes(module.read_text()).items()
    }
    limits = {name: 400 if name.endswith(":") else 50 for name in sizes}
    assert {name: lines for name, lines in sizes.items() if lines > limits[name]} == {}


def function_sizes(text: str) -> dict[str, int]:
    """Lines of each function by name, and of the whole module under the empty name."""
    functions = {
        node.name: (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return functions | {"": len(text.splitlines())}
