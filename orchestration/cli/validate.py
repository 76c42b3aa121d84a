"""`orchestrate validate`: all problems of all files, without starting or importing Dagster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.cli.common import ExampleCommand, read_workspace, runner_file, runner_option
from orchestration.cli.errors import PathNotFoundError
from orchestration.cli.output import count, problem_row, styled_problem, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.domain.problem import Problem
    from orchestration.domain.workspace import Workspace

EXIT_ERRORS = 2
EXIT_WARNINGS = 1


@click.command(
    "validate",
    cls=ExampleCommand,
    examples=(
        "orchestrate validate",
        "orchestrate validate --strict jobs/acme",
        "orchestrate validate --output sarif > orchestrate.sarif",
    ),
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option("--strict", is_flag=True, help="Exit with 1 when there are warnings only.")
@click.option(
    "--output",
    type=click.Choice(["human", "json", "sarif"]),
    default="human",
    show_default=True,
    help="For people, for scripts, or for code scanning (SARIF 2.1.0).",
)
@runner_option
def command(paths: tuple[Path, ...], *, strict: bool, output: str) -> int:
    """Check runner.yaml and all job files without running anything.

    With PATHs, only the problems in these files and folders are reported; files are always checked
    together, so that clashes between them are found. Exits with 2 when there is an error, else 0.
    """
    workspace = read_workspace(runner_file())
    problems = _restrict(workspace, paths)
    match output:
        case "json":
            write_json([problem_row(problem) for problem in problems])
        case "sarif":
            from orchestration.cli.sarif import render_sarif

            write_json(render_sarif(problems, root=workspace.root))
        case _:
            _write_human(workspace, problems)
    return exit_code(problems, strict=strict)


def exit_code(problems: Sequence[Problem], *, strict: bool) -> int:
    """2 if any problem is an error; 1 if there are only warnings and `strict`; else 0."""
    if any(problem.is_error for problem in problems):
        return EXIT_ERRORS
    return EXIT_WARNINGS if problems and strict else 0


def summarise(problems: Sequence[Problem]) -> str:
    """`2 errors and 1 warning in 2 files`."""
    errors = sum(problem.is_error for problem in problems)
    numbers = ((errors, "error"), (len(problems) - errors, "warning"))
    found = " and ".join(count(number, noun) for number, noun in numbers if number)
    return f"{found} in {count(len({problem.location.file for problem in problems}), 'file')}"


def contents(workspace: Workspace) -> str:
    """`9 jobs, 6 schedules, 3 tenants`; broken jobs count as jobs."""
    jobs = (*workspace.jobs, *workspace.broken_jobs)
    tenants = {job.tenant for job in jobs} | set(workspace.tenants)
    numbers = ((jobs, "job"), (workspace.schedules, "schedule"), (tenants, "tenant"))
    return ", ".join(count(len(things), noun) for things, noun in numbers)


def _write_human(workspace: Workspace, problems: Sequence[Problem]) -> None:
    for problem in problems:
        click.echo(f"{styled_problem(problem)}\n")
    if problems:
        click.echo(summarise(problems))
    else:
        click.echo(f"{contents(workspace)}: no problems")


def _restrict(workspace: Workspace, paths: Sequence[Path]) -> tuple[Problem, ...]:
    if not paths:
        return workspace.problems
    wanted = [_resolve(workspace, path) for path in paths]
    return tuple(
        problem
        for problem in workspace.problems
        if any(
            (workspace.root / problem.location.file).resolve().is_relative_to(path)
            for path in wanted
        )
    )


def _resolve(workspace: Workspace, path: Path) -> Path:
    """The path without symlinks, once it is known that the workspace has files there."""
    if not path.exists():
        raise PathNotFoundError(
            f"`{path}` does not exist", help="name files or folders of the workspace"
        )
    real = path.resolve()
    if not any(file.resolve().is_relative_to(real) for file in workspace.watched):
        raise PathNotFoundError(
            f"`{path}` holds no file of the workspace {workspace.runner_file}",
            help="name runner.yaml, job files, or folders that hold them",
        )
    return real
