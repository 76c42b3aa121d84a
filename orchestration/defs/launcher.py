"""The run launcher of an instance on one machine: asks the run server, which forks.

See `run_server.py`. Its answer to Dagster's run monitoring is exact, since it knows the processes:
a run whose worker has gone is ended, and its slots are free.
"""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, RunLauncher, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass, serialize_value

from orchestration.defs.lost_runs import end_lost_run, is_done

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster._config.config_schema import UserConfigSchema
    from dagster._core.launcher import LaunchRunContext
    from dagster._serdes import ConfigurableClassData

_ANSWER_SECONDS: Final = 10.0
_RESTART_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.1


class RunServerUnreachableError(DagsterUserCodeUnreachableError):
    """The run server does not answer. Dagster puts the run back into its queue, and tries again."""


class ForkingRunLauncher(RunLauncher[dg.DagsterInstance], ConfigurableClass):
    """Starts each run by the run server that listens at `socket`."""

    def __init__(self, *, socket: Path, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType] - dagster types it in part
        self._socket = socket
        self._inst_data = inst_data

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """Where the settings came from; asked for by Dagster."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """The one setting."""
        return {"socket": dg.StringSource}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """The launcher that `dagster.yaml` describes; called by Dagster."""
        return cls(socket=Path(config_value["socket"]), inst_data=inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the worker of a run; a run that has one already keeps it.

        Raises:
            RunServerUnreachableError: also after waiting a little, for one that is being restarted.
        """
        run = context.dagster_run
        if context.job_code_origin is None:
            raise dg.DagsterInvariantViolationError(f"run {run.run_id} has no origin")
        order = ExecuteRunArgs(
            job_origin=context.job_code_origin,
            run_id=run.run_id,
            instance_ref=self._instance.get_ref(),
            set_exit_code_on_failure=True,
        )
        answer = self._ask_patiently("start", run.run_id, serialize_value(order))
        if answer["state"] not in ("running", "ended"):
            raise RunServerUnreachableError(answer["detail"])

    def terminate(self, run_id: str) -> bool:
        """Stop the worker of a run; a run without one is ended right here."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        answer = self._ask_patiently("stop", run_id)
        if answer["state"] not in ("running", "stopping"):
            self._instance.report_run_canceled(run, f"It had no process: {answer['detail']}.")
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes: the run server knows its processes."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the worker of a run that has started, and not ended, lives.

        A server that does not answer is being restarted; what it has started is known again, or
        known to be gone, at the next look. A run that is gone, but had done all of its work, is
        ended here; Dagster would call it failed.
        """
        try:
            answer = self._ask("look", run.run_id)
        except OSError as error:
            return CheckRunHealthResult(WorkerStatus.RUNNING, f"no answer: {error}")
        match answer["state"]:
            case "running" | "stopping":
                status = WorkerStatus.RUNNING
            case _ if is_done(self._instance, run):
                end_lost_run(self._instance, run, answer["detail"])
                status = WorkerStatus.SUCCESS
            case "ended":
                status = WorkerStatus.FAILED
            case _:
                status = WorkerStatus.NOT_FOUND
        return CheckRunHealthResult(status, answer["detail"])

    def _ask_patiently(self, do: str, run_id: str, order: str = "") -> dict[str, str]:
        deadline = time.monotonic() + _RESTART_SECONDS
        while True:
            try:
                return self._ask(do, run_id, order)
            except OSError as error:
                if time.monotonic() > deadline:
                    text = f"the run server at {self._socket} does not answer: {error}"
                    raise RunServerUnreachableError(text) from error
            time.sleep(_POLL_SECONDS)

    def _ask(self, do: str, run_id: str, order: str = "") -> dict[str, str]:
        request = json.dumps({"do": do, "run_id": run_id, "order": order})
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            connection.connect(str(self._socket))
            connection.sendall(f"{request}\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        if not answer:
            raise ConnectionResetError("no answer")
        return json.loads(answer)
