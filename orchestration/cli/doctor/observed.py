"""What is known of a workspace and of the instance that runs for it, at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import yaml

from orchestration.cli.holds import NO_HOLDS, Holds
from orchestration.defs import tags
from orchestration.domain.describe import RETRY_SENSOR, schedule_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from orchestration.cli.dev.home import Home, Instance
    from orchestration.cli.retry.waits import Waiting
    from orchestration.defs.index import WorkspaceIndex
    from orchestration.domain.workspace import Workspace
    from orchestration.errors import OrchestrationError

QUERY = """{
  version
  instance {
    runQueueConfig { maxConcurrentRuns tagConcurrencyLimitsYaml }
    info
    daemonHealth { allDaemonStatuses {
      daemonType required lastHeartbeatTime lastHeartbeatErrors { message } } }
  }
  workspaceOrError { ... on Workspace { locationEntries {
    loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } }
  repositoriesOrError { ... on RepositoryConnection { nodes {
    schedules { name canReset scheduleState { status
      typeSpecificData { ... on ScheduleData { startTimestamp } }
      ticks(limit: 1) { timestamp status error { message } } } }
    sensors { name canReset sensorState { status
      ticks(limit: 1) { timestamp status error { message } } } } } } }
  queued: runsOrError(limit: 500, filter: {statuses: [QUEUED]}) { ...Runs }
  underWay: runsOrError(limit: 500, filter: {statuses: [STARTING, STARTED, CANCELING]}) { ...Runs }
  waiting: runsOrError(limit: 1, filter: {
    tags: [{key: "orchestration/retry", value: "waiting"}]}) { ... on Runs { results { runId } } }
}
fragment Runs on Runs { results {
  runId jobName status creationTime startTime updateTime tags { key value } } }"""
"""The queue comes before `info`, which knows the coordinator only once it has been used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """The last evaluation of a schedule or sensor; `status` is Dagster's word for it."""

    at: datetime
    status: str
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSchedule:
    """A schedule as Dagster has it. `by_hand` says that somebody has moved its switch. `since` is
    when Dagster first saw it running, as far as that is known.
    """

    is_on: bool
    by_hand: bool = False
    since: datetime | None = None
    tick: Tick | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """One part of Dagster's daemon, and its last sign of life."""

    name: str
    heartbeat: datetime | None
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that has not ended. `since` is when it came into its `status`, as well as is known."""

    run_id: str
    status: str
    created: datetime
    since: datetime
    job: str
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What the UI of the running instance answers.

    `coordinator` is the class of the run coordinator. `limits` are the tag limits that the coordinator
    serves at this moment. `location_error` is None where the code location is loaded. `launched`
    names the schedules that have launched a run since they were last due, as far as was asked.
    `retry_sensor` is what launches retries, and `has_waits` says that there may be some to come.
    """

    version: str
    coordinator: str
    limits: Mapping[str, int]
    max_concurrent_runs: int | None
    daemons: tuple[Daemon, ...]
    location_error: str | None
    schedules: Mapping[str, LiveSchedule]
    queued: tuple[Run, ...]
    under_way: tuple[Run, ...]
    launched: frozenset[str] = frozenset()
    retry_sensor: LiveSchedule | None = None
    has_waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that the checks judge.

    `live` is None where nothing runs, or where it does not answer: `unreachable` says why then.
    `wanted` is what the code server would serve of the files, `index` what it has served last.
    `settings_text` is the `dagster.yaml` on disk.
    `installed` are versions by distribution. `free_bytes` is by folder. `secrets` has for each
    tenant with files of its own what is wrong with them. `newest_file` is the last change of a file
    of the workspace, `indexed` that of the index. `holds` and `waits`, the retries to come, are empty
    where the database does not answer.
    """

    now: datetime
    workspace: Workspace
    wanted: WorkspaceIndex
    home: Home
    installed: Mapping[str, str]
    instance: Instance | None = None
    live: Live | None = None
    unreachable: str = ""
    index: WorkspaceIndex | None = None
    newest_file: datetime | None = None
    indexed: datetime | None = None
    settings_text: str | None = None
    free_bytes: Mapping[Path, int] = field(default_factory=dict["Path", int])
    secrets: Mapping[str, OrchestrationError | None] = field(
        default_factory=dict[str, "OrchestrationError | None"]
    )
    database: OrchestrationError | None = None
    holds: Holds = NO_HOLDS
    waits: tuple[Waiting, ...] = ()


def parse_live(data: Mapping[str, Any]) -> Live:
    """What the answer to `QUERY` says."""
    instance = data["instance"]
    queue: Mapping[str, Any] = instance["runQueueConfig"] or {}
    limits = yaml.safe_load(queue.get("tagConcurrencyLimitsYaml") or "[]")
    return Live(
        version=data["version"],
        coordinator=_parse_coordinator(instance["info"]),
        limits={limit["key"]: limit["limit"] for limit in limits},
        max_concurrent_runs=queue.get("maxConcurrentRuns"),
        daemons=tuple(_parse_daemons(instance["daemonHealth"]["allDaemonStatuses"])),
        location_error=_parse_location(data["workspaceOrError"].get("locationEntries", [])),
        schedules=dict(_parse_schedules(data["repositoriesOrError"].get("nodes", []))),
        queued=_parse_runs(data["queued"]),
        under_way=_parse_runs(data["underWay"]),
        retry_sensor=_parse_retry_sensor(data["repositoriesOrError"].get("nodes", [])),
        has_waits=bool(data["waiting"].get("results")),
    )


def instant(timestamp: float | None) -> datetime | None:
    """The aware instant of a Unix time."""
    return datetime.fromtimestamp(timestamp, UTC) if timestamp else None


def _parse_coordinator(info: str | None) -> str:
    """The `dagster.yaml` in force has a mapping where a class is configured, else its name."""
    settings = cast("dict[str, Any]", yaml.safe_load(info or "{}"))
    found: str | dict[str, Any] = settings.get("run_coordinator", "unknown")
    return found if isinstance(found, str) else str(found["class"])


def _parse_daemons(found: Sequence[Mapping[str, Any]]) -> Iterator[Daemon]:
    for daemon in found:
        if daemon["required"]:
            yield Daemon(
                name=daemon["daemonType"],
                heartbeat=instant(daemon["lastHeartbeatTime"]),
                errors=tuple(e["message"].strip() for e in daemon["lastHeartbeatErrors"] or ()),
            )


def _parse_location(entries: Sequence[Mapping[str, Any]]) -> str | None:
    if not entries:
        return "it is not in the workspace of the UI"
    for entry in entries:
        result = entry["locationOrLoadError"]
        if entry["loadStatus"] != "LOADED" or result is None:
            return "it is still being loaded"
        if "message" in result:
            return str(result["message"]).strip()
    return None


def _parse_schedules(nodes: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, LiveSchedule]]:
    for node in nodes:
        for found in node["schedules"]:
            yield found["name"], _parse_schedule(found, found["scheduleState"])
        for found in node["sensors"]:
            name = schedule_name(found["name"], sensor=True)
            if name != found["name"]:  # a sensor of another kind, such as that of problems
                yield name, _parse_schedule(found, found["sensorState"])


def _parse_retry_sensor(nodes: Sequence[Mapping[str, Any]]) -> LiveSchedule | None:
    sensors = [found for node in nodes for found in node["sensors"]]
    mine = [found for found in sensors if found["name"] == RETRY_SENSOR]
    return _parse_schedule(mine[0], mine[0]["sensorState"]) if mine else None


def _parse_schedule(found: Mapping[str, Any], state: Mapping[str, Any]) -> LiveSchedule:
    details: Mapping[str, Any] = state.get("typeSpecificData") or {}
    ticks = [
        Tick(
            at=datetime.fromtimestamp(tick["timestamp"], UTC),
            status=tick["status"],
            error=tick["error"]["message"].strip() if tick["error"] else "",
        )
        for tick in state["ticks"]
    ]
    return LiveSchedule(
        is_on=state["status"] == "RUNNING",
        by_hand=bool(found["canReset"]),
        since=instant(details.get("startTimestamp")),
        tick=ticks[0] if ticks else None,
    )


def _parse_runs(found: Mapping[str, Any]) -> tuple[Run, ...]:
    return tuple(_parse_run(run) for run in found.get("results", []))


def _parse_run(run: Mapping[str, Any]) -> Run:
    found = {tag["key"]: tag["value"] for tag in run["tags"]}
    created = datetime.fromtimestamp(run["creationTime"], UTC)
    since = run["startTime"] if run["status"] == "STARTED" else run["updateTime"]
    named = tags.TENANT in found and tags.JOB_NAME in found
    return Run(
        run_id=run["runId"],
        status=run["status"],
        created=created,
        since=instant(since) or created,
        job=f"{found[tags.TENANT]}/{found[tags.JOB_NAME]}" if named else run["jobName"],
        tags=found,
    )
