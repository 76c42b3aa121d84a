import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration import __version__
from orchestration.cli.group import COMMANDS
from orchestration.cli.reference import render_reference

ROOT = Path(__file__).parents[2]
SCHEDULE = ("list", "preview", "enable", "disable", "resume", "add", "remove")
HEAVY = ("dagster", "dlt", "pydantic", "rich", "grpc", "yaml")
ELSEWHERE = (
    "schedule ",
    "retry cancel ",
    "breaker reset ",
    "checkpoint ",
    "dlq ",
    "dev",
    "up",
    "reload",
    "doctor",
)
IMPORTS = """\
import json, sys
from orchestration.cli.boundary import run_cli
code = run_cli(sys.argv[1:])
loaded = {name.partition(".")[0] for name in sys.modules}
print(json.dumps([code, sorted(loaded)]), file=sys.stderr)
"""


def imports_of(workspace, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, *arguments],
        cwd=workspace.folder,
        env=workspace.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    code, loaded = json.loads(done.stderr.splitlines()[-1])
    return code, set(loaded)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        [],
        *[[c, "--help"] for c in COMMANDS],
        *[["schedule", c, "--help"] for c in SCHEDULE],
        *[["breaker", c, "--help"] for c in ("list", "reset")],
        *[["retry", c, "--help"] for c in ("explain", "list", "cancel")],
        *[["checkpoint", c, "--help"] for c in ("show", "history", "set", "reset")],
        *[["dlq", c, "--help"] for c in ("list", "show", "replay", "drop")],
    ],
)
def test_help_needs_none_of_the_heavy_libraries(workspace, arguments):
    code, loaded = imports_of(workspace, *arguments)

    assert code == (0 if arguments else 2)
    assert loaded & set(HEAVY) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate"],
        ["list", "jobs"],
        ["schema", "job"],
        ["schema", "runner"],
        ["run", "acme/orders"],
        ["run", "acme/orders", "--dry-run"],
        ["retry", "explain", "acme/orders"],
        ["retry", "list"],
        ["breaker", "list"],
        ["breaker", "reset", "acme", "command"],
        ["checkpoint", "show", "acme/orders"],
        ["checkpoint", "history", "acme/orders"],
        ["checkpoint", "set", "acme/orders", "runner.yaml"],
        ["checkpoint", "reset", "acme/orders", "--yes"],
        ["dlq", "list"],
        ["dlq", "show", "ab"],
        ["dlq", "replay"],
        ["dlq", "drop", "--yes"],
        ["reload"],
        ["schedule", "list"],
        ["schedule", "preview", "acme_orders"],
        ["schedule", "enable", "globex_orders"],
        ["schedule", "disable", "acme_orders"],
        ["schedule", "resume", "acme_orders"],
        ["schedule", "add", "--job", "initech/orders", "--cron", "0 5 * * *"],
        ["schedule", "remove", "acme_orders", "--yes"],
    ],
)
def test_no_command_imports_dagster_or_dlt(workspace, arguments):
    _, loaded = imports_of(workspace, *arguments)

    assert loaded & {"dagster", "dagster_shared", "dlt"} == set()


def test_the_version_is_told(workspace):
    assert workspace.run("--version").out == f"orchestrate {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_ends_with_examples(workspace, name):
    done = workspace.run(name, "--help")

    head, _, examples = done.out.partition("\nExamples:\n")
    assert (done.code, head.startswith("Usage: orchestrate ")) == (0, True)
    assert all(line.startswith(f"  orchestrate {name}") for line in examples.splitlines())


@pytest.mark.parametrize(
    "example",
    [
        "orchestrate validate",
        "orchestrate validate --strict jobs/acme",
        "orchestrate validate --output sarif > orchestrate.sarif",
        "orchestrate list jobs",
        "orchestrate list schedules --tenant acme",
        "orchestrate list jobs --format json",
        "orchestrate run acme/airports",
        "orchestrate run jobs/acme/airports.yaml --retry",
        "orchestrate run acme/airports --env LIMIT=100 --dry-run",
        "orchestrate retry explain acme/airports --exit-code 2 --stderr 'connection reset'",
        "orchestrate retry explain acme/airports --signal SIGKILL --attempt 3",
        "orchestrate retry explain jobs/acme/airports.yaml --timed-out --format json",
        "orchestrate retry list",
        "orchestrate retry list --tenant acme",
        "orchestrate retry list --format json",
        "orchestrate breaker list",
        "orchestrate breaker list --tenant acme",
        "orchestrate breaker list --format json",
        "orchestrate schema job > job.schema.json",
        "orchestrate schema runner > runner.schema.json",
    ],
)
def test_the_examples_work(workspace, example):
    workspace.write_job("acme", "true", name="airports")
    path = f"{Path(sys.executable).parent}:{workspace.environ['PATH']}"

    done = subprocess.run(
        ["sh", "-c", example],
        cwd=workspace.folder,
        env={**workspace.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, "error" in done.stderr) == (0, False)


def test_these_are_all_examples_but_those_that_start_or_need_the_ui():
    """Those of `orchestrate schedule` need the schedules of the example workspace, and those of
    `orchestrate checkpoint` and `retry cancel` a job that has one or waits for one.
    """
    others = tuple(f"orchestrate {name}" for name in ELSEWHERE)
    shown = {line for line in render_reference().splitlines() if line.startswith("orchestrate ")}
    elsewhere = {line for line in shown if line.startswith(others)}
    usages = {line for line in shown if "OPTIONS" in line}
    [mark] = test_the_examples_work.pytestmark

    assert shown - usages - elsewhere == set(mark.args[1])


def test_the_reference_page_is_up_to_date():
    page = ROOT / "docs/reference/cli.md"

    assert page.read_text() == render_reference()


def test_colours_stay_out_of_pipes(workspace):
    workspace.edit("jobs/globex/orders.yaml", "command:", "comand:")

    assert "\x1b[" not in workspace.run("validate").out


def test_the_schemas_are_those_of_the_files(workspace):
    job, runner = workspace.run("schema", "job").json, workspace.run("schema", "runner").json

    assert "tenant_id" in job["properties"]
    assert "runner" in runner["properties"]


def test_the_shell_completes_commands_and_jobs(workspace):
    def complete(words, typed):
        return workspace.run(
            _ORCHESTRATE_COMPLETE="bash_complete", COMP_WORDS=f"{words} {typed}", COMP_CWORD="2"
        ).out

    first = workspace.run(
        _ORCHESTRATE_COMPLETE="bash_complete", COMP_WORDS="orchestrate va", COMP_CWORD="1"
    )
    assert first.out == "plain,validate\n"
    assert complete("orchestrate run", "gl") == "plain,globex/orders\n"
