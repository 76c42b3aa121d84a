"""`orchestrate reload`: what `dev` and `up` do when a file is saved, by hand."""

from __future__ import annotations

from pathlib import Path

import click

from orchestration.cli.common import (
    ExampleCommand,
    read_served_workspace,
    runner_file,
    runner_option,
)


@click.command("reload", cls=ExampleCommand, examples=("orchestrate reload",))
@runner_option
def command() -> None:
    """Make the running `orchestrate dev` or `up` read the files again.

    It does so by itself whenever a YAML file is saved; this is for other changes, such as a
    connector that was installed meanwhile. Problems are shown, and what is right is loaded.
    """
    from orchestration.cli.dev.home import find_instance, logs_folder
    from orchestration.cli.dev.reloader import describe_reload, reload
    from orchestration.cli.errors import ReloadError
    from orchestration.cli.output import styled_problem
    from orchestration.defs.code_server import CodeServer

    workspace = read_served_workspace(runner_file())
    state = workspace.settings.state_directory
    instance = find_instance(state)
    for problem in workspace.problems:
        click.echo(f"{styled_problem(problem)}\n")
    failure = reload(CodeServer(socket=Path(instance.socket)))
    if failure:
        log = logs_folder(state) / "code-server.log"
        raise ReloadError(failure, help=f"see the log of the code server, {log}")
    click.echo(f"reloaded {instance.url}: {describe_reload(workspace)}")
