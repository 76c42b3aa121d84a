"""What the process of one run does, and what is done for one that was killed."""

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module

import click
import dagster as dg
from dagster._cli.api import api_cli
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import deserialize_value

from orchestration.defs.embedded_storage import EventLogStorage
from orchestration.defs.lost_runs import end_lost_run, mend_interrupted_run
from orchestration.runner.lease import descriptors

# How `execute_run` ends when the run has: by its exit code, or by a signal.
_FAILED = (SystemExit, KeyboardInterrupt, click.Abort)


def preload() -> None:
    """Import all that a worker will need, of which much is imported only by the first run: so the
    instance is opened once, and a run of nothing is executed in an instance of its own.
    """
    import_module("orchestration.definitions")
    with dg.DagsterInstance.get() as instance:
        for part in ("run_launcher", "run_coordinator", "compute_log_manager"):
            getattr(instance, part)
        instance.get_runs_count()
        if isinstance(instance.event_log_storage, EventLogStorage):
            instance.event_log_storage.prepare()
    with dg.DagsterInstance.ephemeral() as instance:  # pyright: ignore[reportUnknownMemberType] - dagster types it in part
        dg.materialize([rehearsal], instance=instance)


@dg.asset
def rehearsal() -> None:
    """Nothing, of the simplest kind."""


def _execute(order: str) -> None:
    api_cli.main(args=["execute_run", order], prog_name="dagster api", standalone_mode=False)


def work(order: str, execute: Callable[[str], None] = _execute) -> int:
    """Execute the run, as `dagster api execute_run` does; the exit code is 0 if it went well.

    The definitions of another Python environment are executed by that one.
    """
    args = deserialize_value(order, ExecuteRunArgs)
    python = args.job_origin.repository_origin.executable_path
    if python != sys.executable:
        for lease in descriptors():
            os.set_inheritable(lease, True)  # noqa: FBT003 - so it is called
        os.execv(python, [python, "-m", "dagster", "api", "execute_run", order])  # noqa: S606 - there is no shell
    try:
        execute(order)
    except _FAILED:  # a signal to stop may come more than once: from here on it must not disturb
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
        if args.instance_ref is not None:
            with dg.DagsterInstance.from_ref(args.instance_ref) as instance:
                mend_interrupted_run(instance, args.run_id)
        raise
    return 0


def bury(order: str, cause: str) -> None:
    """End the run of a worker that was killed, so that what it held is free at once."""
    args = deserialize_value(order, ExecuteRunArgs)
    if args.instance_ref is None:
        raise ValueError("the order does not say which instance the run is of")
    with dg.DagsterInstance.from_ref(args.instance_ref) as instance:
        run = instance.get_run_by_id(args.run_id)
        if run is not None and not run.is_finished:
            end_lost_run(instance, run, cause)
