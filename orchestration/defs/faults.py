"""What is wrong in the files, made visible in Dagster: a broken job never vanishes.

Each broken job is a placeholder asset in the group of its tenant; each stale one (broken now, kept
in its last good version) stays as it is. Both carry a failing `config_valid` check with the
problems, and a link to the line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from orchestration.defs.metadata import code_reference, fence
from orchestration.domain.describe import FAULT_SENSOR
from orchestration.domain.job import RUNNER_FAULT_KEY
from orchestration.domain.problem import Location, Problem, format_problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from orchestration.domain.workspace import Workspace

CONFIG_CHECK = "config_valid"
_SENSOR_SECONDS = 30

Reload = Callable[[], "Workspace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One asset that shows problems of the files. `placeholder` says that the asset is there for
    nothing else; `state` says for a person what became of the job.
    """

    key: tuple[str, ...]
    group: str
    state: str
    location: Location
    problems: tuple[Problem, ...]
    placeholder: bool

    @property
    def text(self) -> str:
        """The problems as `validate` prints them."""
        return "\n\n".join(format_problem(problem) for problem in self.problems)


def find_faults(workspace: Workspace) -> tuple[Fault, ...]:
    """What is to be shown: broken jobs, stale jobs, and errors of `runner.yaml`."""
    faults = [
        Fault(
            key=job.asset_key,
            group=job.tenant,
            state="This job cannot run until its file is mended.",
            location=job.location,
            problems=job.problems,
            placeholder=True,
        )
        for job in workspace.broken_jobs
    ]
    faults += [
        Fault(
            key=job.asset_key,
            group=job.tenant,
            state="The file is broken; the last good version of the job is in force.",
            location=job.location,
            problems=_errors_of(workspace, job.location.file),
            placeholder=False,
        )
        for job in workspace.jobs
        if job.stale
    ]
    return (*faults, *_runner_fault(workspace))


def build_placeholder(fault: Fault, root: Path) -> dg.AssetSpec:
    """The asset that stands for a broken job; it cannot be materialised."""
    return dg.AssetSpec(
        key=dg.AssetKey(fault.key),
        group_name=fault.group,
        description=f"{fault.state}\n\n{fence(fault.text)}",
        kinds={"yaml"},
        metadata={"dagster/code_references": code_reference(root, fault.location)},
    )


def build_check(fault: Fault, reload: Reload) -> dg.AssetChecksDefinition:
    """The `config_valid` check of a fault. Executing it reads the files anew."""

    @dg.asset_check(
        asset=dg.AssetKey(fault.key),
        name=CONFIG_CHECK,
        description="Whether the YAML file that this asset comes from has no errors.",
    )
    def config_valid() -> dg.AssetCheckResult:
        now = {fault.key: fault for fault in find_faults(reload())}
        still = now.get(fault.key)
        if still is None:
            return dg.AssetCheckResult(passed=True, description="the file has no errors now")
        return dg.AssetCheckResult(
            passed=False, description=still.state, metadata=_problem_metadata(still)
        )

    return config_valid


def build_fault_sensor(faults: Sequence[Fault]) -> dg.SensorDefinition:
    """The sensor that reports each `config_valid` check as failed, once for each set of faults."""
    digest = hashlib.sha256(repr(faults).encode()).hexdigest()

    def report(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if context.cursor == digest:
            return dg.SkipReason("these problems have been reported")
        events = [_evaluation(fault) for fault in faults]
        return dg.SensorResult(asset_events=events, cursor=digest)

    return dg.SensorDefinition(
        name=FAULT_SENSOR,
        evaluation_fn=report,
        minimum_interval_seconds=_SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Shows the problems of the YAML files as failing `config_valid` checks.",
    )


def _evaluation(fault: Fault) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(fault.key),
        check_name=CONFIG_CHECK,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=fault.state,
        metadata=_problem_metadata(fault),
    )


def _problem_metadata(fault: Fault) -> dict[str, dg.MetadataValue]:
    return {
        "problems": dg.MarkdownMetadataValue(fence(fault.text)),
        "file": dg.TextMetadataValue(str(fault.location)),
    }


def _errors_of(workspace: Workspace, file: str) -> tuple[Problem, ...]:
    return tuple(p for p in workspace.problems if p.is_error and p.location.file == file)


def _runner_fault(workspace: Workspace) -> tuple[Fault, ...]:
    problems = _errors_of(workspace, workspace.runner_file.name)
    if not problems:
        return ()
    return (
        Fault(
            key=RUNNER_FAULT_KEY,
            group=RUNNER_FAULT_KEY[0],
            state="Some of `runner.yaml` is not in force until it is mended.",
            location=problems[0].location,
            problems=problems,
            placeholder=True,
        ),
    )
