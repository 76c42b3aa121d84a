"""The same definitions as a component, for people whose Dagster project uses `dg`."""

import os
from pathlib import Path

import dagster as dg

from orchestration.connectors.registry import CATALOG
from orchestration.defs.location import CodeLocation


class OrchestrationComponent(dg.Component, dg.Model, dg.Resolvable):
    """Ingestion jobs written in YAML.

    `runner` is the path of the `runner.yaml`, from the folder of the component's `defs.yaml`.
    """

    runner: str

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The definitions of the workspace."""
        runner_file = (Path(context.path) / self.runner).resolve()
        return CodeLocation(runner_file, os.environ, CATALOG, CATALOG.kind).definitions()
