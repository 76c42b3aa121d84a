"""What the running instance of a workspace says of its schedules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from orchestration.domain.describe import schedule_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SWITCHES: Final = """{ repositoriesOrError { ... on RepositoryConnection { nodes {
  schedules { name canReset scheduleState { status } }
  sensors { name canReset sensorState { status typeSpecificData {
    ... on SensorData { lastCursor } } } } } } } }"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """The switch of one schedule in Dagster. `by_hand` says that somebody has moved it; otherwise
    it stands as the files had it when they were last loaded. `cursor` is how far a sensor has got.
    """

    is_on: bool
    by_hand: bool
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A running instance. `switches` are by name; None where its UI does not answer."""

    url: str
    switches: Mapping[str, Switch] | None


def find_live(state_directory: Path) -> Live | None:
    """The instance that runs for this state directory, None if nothing is up."""
    from orchestration.cli.dev.home import find_instance
    from orchestration.cli.dev.ui import Ui, UiUnreachableError
    from orchestration.cli.errors import NoInstanceError

    try:
        url = find_instance(state_directory).url
    except NoInstanceError:
        return None
    address = urlsplit(url)
    try:
        ui = Ui(host=address.hostname or "localhost", port=address.port or 80)
        return Live(url=url, switches=parse_switches(ui.query(_SWITCHES, {})))
    except UiUnreachableError:
        return Live(url=url, switches=None)


def parse_switches(data: Mapping[str, Any]) -> dict[str, Switch]:
    """The switches of all entries, be they schedules or sensors, in the answer to the query."""
    return {
        schedule_name(found["name"], sensor=kind == "sensors"): Switch(
            is_on=found[state]["status"] == "RUNNING",
            by_hand=bool(found["canReset"]),
            cursor=_cursor(found[state]),
        )
        for node in data["repositoriesOrError"].get("nodes", [])
        for kind, state in (("schedules", "scheduleState"), ("sensors", "sensorState"))
        for found in node[kind]
    }


def _cursor(state: Mapping[str, Any]) -> str | None:
    """Schedules have none, nor has a sensor that was never looked at."""
    details: Mapping[str, str | None] = state.get("typeSpecificData") or {}
    return details.get("lastCursor")
