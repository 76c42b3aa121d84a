"""A process that makes one run and nothing else, as a run worker: FOLDER RUN_ID KIND.

KIND is `ours`, for the jobs of the workspace in FOLDER, or `dagsters`, for an asset that Dagster's
own retry policy repeats.
"""

import sys
import time
from pathlib import Path

import dagster as dg

folder, run_id, kind = sys.argv[1:]


@dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
def slow_at_first(context: dg.AssetExecutionContext) -> None:
    """Its first attempt goes on until it is interrupted."""
    if context.retry_number == 0:
        Path(folder, "pid").write_text("1")
        time.sleep(600)


def load_ours() -> dg.Definitions:
    """The jobs of the workspace."""
    from orchestration.config import EMPTY_CATALOG, load_workspace
    from orchestration.defs.assemble import build_definitions

    space = load_workspace(Path(folder, "runner.yaml"), environ={}, catalog=EMPTY_CATALOG)
    return build_definitions(
        space, gate=lambda _: True, reload=lambda: space, kind_of=lambda _, name: name
    )


definitions = (
    load_ours()
    if kind == "ours"
    else dg.Definitions([slow_at_first], executor=dg.in_process_executor)
)
job = definitions.resolve_implicit_global_asset_job_def()
keys = list(job.asset_layer.executable_asset_keys)
with dg.DagsterInstance.from_config(str(Path(folder, "home"))) as instance:
    job.execute_in_process(
        instance=instance,
        run_id=run_id,
        asset_selection=keys if len(keys) == 1 else None,
        raise_on_error=False,
    )
