"""`orchestrate schema`: what editors need to complete and check the files."""

from __future__ import annotations

import click

from orchestration.cli.common import ExampleCommand
from orchestration.cli.output import write_json


@click.command(
    "schema",
    cls=ExampleCommand,
    examples=(
        "orchestrate schema job > job.schema.json",
        "orchestrate schema runner > runner.schema.json",
    ),
)
@click.argument("kind", type=click.Choice(["runner", "job"]))
def command(kind: str) -> None:
    """Print the JSON Schema of runner.yaml or of a job file.

    Editors with a YAML language server complete and check a file that begins with the line
    "# yaml-language-server: $schema=PATH".
    """
    from orchestration.config import render_schema
    from orchestration.connectors.registry import CATALOG

    write_json(render_schema("runner" if kind == "runner" else "job", CATALOG))
