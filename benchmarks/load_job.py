"""Gets the job of one asset as the process of a run does, and does not run it.

Usage: load_job.py TENANT ASSET, in the folder of runner.yaml. The two calls are Dagster's own, in
its order (`core_execute_run`): the job of the run, then what the run selects of it.
"""

import sys
from pathlib import Path

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository


def load_job(key: dg.AssetKey) -> dg.JobDefinition:
    repository = ReconstructableRepository.for_module(
        "orchestration.definitions", "defs", working_directory=str(Path.cwd())
    )
    job = repository.get_reconstructable_job("__ASSET_JOB")
    job.get_definition()
    return job.get_subset(asset_selection={key}).get_definition()


if __name__ == "__main__":
    selected = dg.AssetKey(sys.argv[1:3])
    assert load_job(selected).asset_layer.selected_asset_keys == {selected}
