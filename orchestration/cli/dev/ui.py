"""Asks the running UI over HTTP: whether it answers, what it has loaded, and which runs ended."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from orchestration.defs import tags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_TIMEOUT_SECONDS: Final = 10
_LOCATION = """{ workspaceOrError { ... on Workspace { locationEntries {
  loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } } }"""
_PAGE: Final = 50
_RUNS = """query($since: Float!, $cursor: String, $limit: Int!) {
  runsOrError(cursor: $cursor, limit: $limit, filter: {
    updatedAfter: $since, statuses: [SUCCESS, FAILURE, CANCELED]}) { ... on Runs { results {
  runId jobName status startTime endTime updateTime tags { key value }
  assetMaterializations { metadataEntries {
    label ... on TextMetadataEntry { text } ... on IntMetadataEntry { intValue } } } } } } }"""
_UNDER_WAY = """{ runsOrError(limit: 500, filter: {statuses: [STARTING, STARTED, CANCELING]}) {
  ... on Runs { results { jobName tags { key value } } } } }"""


class UiUnreachableError(Exception):
    """The UI does not answer, or not with what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """A run that has ended. `subject` is the job's `tenant/name`, or else the Dagster job.

    `outcome` is succeeded, partial, failed or cancelled; `rows` is the size of the table after it.
    `retry_at` is when another run makes the next attempt. `breakers` are those that it has `opened`
    or `closed`, by `tenant/connector`.
    """

    run_id: str
    subject: str
    outcome: str
    updated_at: float
    seconds: float | None = None
    rows: int | None = None
    retry_at: datetime | None = None
    breakers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ui:
    """The UI that listens on `host` and `port`."""

    host: str
    port: int
    timeout_seconds: float = _TIMEOUT_SECONDS

    def answers(self) -> bool:
        """Whether the UI can be opened now."""
        try:
            self._request("GET", "/server_info", None)
        except UiUnreachableError:
            return False
        return True

    def has_loaded(self) -> bool:
        """Whether the UI shows the code location, with definitions or with their error."""
        try:
            workspace = self.query(_LOCATION, {})["workspaceOrError"]
        except UiUnreachableError:
            return False
        entries = workspace.get("locationEntries", [])
        return bool(entries) and all(_is_loaded(entry) for entry in entries)

    def finished_runs(self, since: float) -> list[FinishedRun]:
        """The runs that ended after `since` (seconds of the Unix epoch), first ended first.

        Raises:
            UiUnreachableError: the UI does not answer.
        """

        def ask(cursor: str | None) -> list[FinishedRun]:
            variables = {"since": since, "cursor": cursor, "limit": _PAGE}
            found = self.query(_RUNS, variables)["runsOrError"].get("results", [])
            return [parse_run(run) for run in found]

        return sorted(read_pages(ask, size=_PAGE), key=lambda run: run.updated_at)

    def runs_under_way(self) -> list[str]:
        """The subjects of the runs that have left the queue and have not ended, in order.

        Raises:
            UiUnreachableError: the UI does not answer.
        """
        found = self.query(_UNDER_WAY, {})["runsOrError"].get("results", [])
        return sorted(map(_subject, found))

    def query(self, query: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """The `data` of the answer to a GraphQL query.

        Raises:
            UiUnreachableError: the UI does not answer, or refuses the query.
        """
        body = json.dumps({"query": query, "variables": variables})
        reply = self._request("POST", "/graphql", body)
        if not reply.get("data"):
            errors = reply.get("errors") or [{"message": "it has no data"}]
            raise UiUnreachableError(errors[0]["message"])
        return reply["data"]

    def _request(self, method: str, path: str, body: str | None) -> Mapping[str, Any]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout_seconds)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UiUnreachableError(str(error)) from error
        finally:
            connection.close()


def read_pages(
    ask: Callable[[str | None], Sequence[FinishedRun]], *, size: int
) -> Iterator[FinishedRun]:
    """The runs of all pages; `ask` gives the page of at most `size` runs after a run, by its id."""
    page = ask(None)
    yield from page
    while len(page) >= size:
        page = ask(page[-1].run_id)
        yield from page


def parse_run(run: Mapping[str, Any]) -> FinishedRun:
    """The run that one entry of the GraphQL answer describes."""
    facts = [entry for event in run["assetMaterializations"] for entry in event["metadataEntries"]]
    found = {fact["label"]: fact.get("text", fact.get("intValue")) for fact in facts}
    times = (run["startTime"], run["endTime"])
    said = {tag["key"]: tag["value"] for tag in run["tags"]}
    changes = [(key, value) for key, value in said.items() if key.startswith(tags.BREAKERS)]
    return FinishedRun(
        run_id=run["runId"],
        subject=_subject(run),
        outcome=_outcome(run["status"], found.get("status")),
        updated_at=run["updateTime"],
        seconds=times[1] - times[0] if all(times) else None,
        rows=found.get("dagster/row_count"),
        retry_at=_retry_at(said),
        breakers=tuple((key.removeprefix(tags.BREAKERS), value) for key, value in changes),
    )


def _subject(run: Mapping[str, Any]) -> str:
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    named = "tenant" in tags and "job_name" in tags
    return f"{tags['tenant']}/{tags['job_name']}" if named else run["jobName"]


def _retry_at(said: Mapping[str, str]) -> datetime | None:
    if said.get(tags.RETRY) != "waiting":
        return None
    try:
        return datetime.fromisoformat(said.get(tags.RETRY_AT, ""))
    except ValueError:  # somebody has edited it
        return None


def _outcome(status: str, reported: object) -> str:
    match status:
        case "SUCCESS":
            return "partial" if reported == "partial" else "succeeded"
        case "CANCELED":
            return "cancelled"
        case _:
            return "failed"


def _is_loaded(entry: Mapping[str, Any]) -> bool:
    """A server that cannot be reached yet shows as an error, which goes away by itself."""
    result = entry["locationOrLoadError"]
    if entry["loadStatus"] != "LOADED" or result is None:
        return False
    return "DagsterUserCodeUnreachableError" not in result.get("message", "")
