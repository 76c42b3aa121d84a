"""From runner.yaml to settings, tenants and schedule entries."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from orchestration.config import field_rules, names
from orchestration.config.checkpoint_url import check_checkpoint_url
from orchestration.config.checks import check_secrets, read_folder, refuse_name
from orchestration.config.entries import SCHEDULES, Entry, check_unique, read_entries
from orchestration.config.failures import RUN_TIMEOUT, FailureDefaults, read_failure_defaults
from orchestration.config.find import read_state_directory
from orchestration.config.runner_file import INACTIVE_RUNNER_FIELDS, RunnerFile
from orchestration.config.tenants import read_tenants
from orchestration.config.translate import Translator
from orchestration.config.validation import validate
from orchestration.config.variables import resolve_references
from orchestration.domain.references import ReferenceSyntaxError, references
from orchestration.domain.workspace import DevService, Settings, Tenant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.config.document import Document, Place
    from orchestration.config.files import Layout
    from orchestration.config.finder import JobFinder
    from orchestration.config.runner_file import Runner
    from orchestration.config.variables import When
    from orchestration.domain.events import JsonValue

WHAT = "runner.yaml"
_SHUTDOWN_TIMEOUT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerContent:
    """What runner.yaml says. `broken_entries` are the places of the entries that are left out for
    their errors, by name where it can be read. `is_sound` says that nothing but entries is broken.
    """

    settings: Settings
    failures: FailureDefaults = field(default_factory=FailureDefaults)
    tenants: Mapping[str, Tenant] = field(default_factory=dict[str, Tenant])
    entries: tuple[Entry, ...] = ()
    broken_entries: Mapping[str, Place] = field(default_factory=dict[str, "Place"])
    is_sound: bool = False


def read_runner(
    document: Document, layout: Layout, environ: Mapping[str, str], finder: JobFinder
) -> RunnerContent:
    """What the document says, with the defaults for what is wrong or missing."""
    default = Settings(state_directory=read_state_directory("", layout))
    if not document.complete:
        return RunnerContent(settings=default)
    check_secrets(document)
    data = resolve_references(document, _when, environ)
    data, raw_entries = _take_schedules(data)
    translator = Translator(document, RunnerFile, what=WHAT, hidden=INACTIVE_RUNNER_FIELDS)
    file, _ = validate(RunnerFile, data, translator)
    if file is None:
        return RunnerContent(settings=default)
    settings = _read_settings(document, file.runner, layout)
    failures = read_failure_defaults(document, file.runner)
    tenants = read_tenants(document, file.runner, layout)
    _warn_of_idle_fields(document, file.runner)
    in_entries = sum(document.errors_within((*SCHEDULES, i)) for i in range(len(raw_entries)))
    is_sound = document.error_count == in_entries
    entries, broken = read_entries(document, raw_entries, finder)
    return RunnerContent(
        settings=settings,
        failures=failures,
        tenants=tenants,
        entries=entries,
        broken_entries=broken,
        is_sound=is_sound,
    )


def _when(place: Place) -> When:
    match place:
        case ("runner", "tenants", _, "env", _) | ("runner", "dev", "services", _, "command", _):
            return "run"
        case ("runner", "postgres_url"):
            return "run"
        case ("runner", key, *_) if key in INACTIVE_RUNNER_FIELDS:
            return "never"
        case _:
            return "load"


def _take_schedules(
    data: dict[str, JsonValue],
) -> tuple[dict[str, JsonValue], list[JsonValue]]:
    """The values without the schedules, and the schedules, which are validated one by one."""
    runner = data.get("runner")
    orchestrator = runner.get("orchestrator") if isinstance(runner, dict) else None
    entries = orchestrator.get("schedules") if isinstance(orchestrator, dict) else None
    if not (
        isinstance(runner, dict) and isinstance(orchestrator, dict) and isinstance(entries, list)
    ):
        return data, []
    without: dict[str, JsonValue] = {**orchestrator, "schedules": None}
    rest: dict[str, JsonValue] = {**runner, "orchestrator": without}
    return {**data, "runner": rest}, entries


def _read_settings(document: Document, runner: Runner, layout: Layout) -> Settings:
    orchestrator = runner.orchestrator
    return Settings(
        state_directory=read_state_directory(runner.state_directory, layout),
        concurrency_per_tenant=orchestrator.concurrency_per_tenant if orchestrator else 1,
        max_concurrent_runs=(orchestrator.max_concurrent_runs or None) if orchestrator else None,
        connector_limits=_read_connectors(document, runner),
        postgres_url=_read_postgres_url(document, runner.postgres_url),
        graceful_shutdown_timeout=runner.graceful_shutdown_timeout or _SHUTDOWN_TIMEOUT,
        retry_in_run=timedelta(seconds=runner.retry.in_run_seconds if runner.retry else 60),
        run_timeout=runner.run_timeout or RUN_TIMEOUT,
        checkpoint_url=_read_checkpoint_url(document, runner),
        dev_services=_read_services(document, runner, layout),
    )


def _read_connectors(document: Document, runner: Runner) -> dict[str, int]:
    limits: dict[str, int] = {}
    for name, entry in (runner.connectors or {}).items():
        place: Place = ("runner", "connectors", name)
        if refusal := names.check_name(name):
            refuse_name(document, place, name, "a connector", refusal)
        elif entry.concurrency:
            limits[name] = entry.concurrency
        elif document.value(place) == {}:
            document.report(field_rules.NO_VALUE, place, on="key", field=name)
    return limits


def _read_postgres_url(document: Document, text: str) -> str | None:
    """The name of the variable that holds the URL."""
    if not text:
        return None
    try:
        found = references(text)
    except ReferenceSyntaxError:
        return None  # reported already, as for each text with references
    if len(found) == 1 and text == f"${{{found[0].name}}}":
        return found[0].name
    document.report(field_rules.BAD_POSTGRES_URL, ("runner", "postgres_url"))
    return None


def _read_checkpoint_url(document: Document, runner: Runner) -> str | None:
    url = runner.checkpoints.url.rstrip("/") if runner.checkpoints else ""
    if not url:
        return None
    if refusal := check_checkpoint_url(url):
        place: Place = ("runner", "checkpoints", "url")
        document.report(
            field_rules.BAD_CHECKPOINT_URL, place, reason=refusal.reason, cure=refusal.cure
        )
        return None
    return url


def _read_services(document: Document, runner: Runner, layout: Layout) -> tuple[DevService, ...]:
    entries = (runner.dev.services if runner.dev else None) or []
    place: Place = ("runner", "dev", "services")
    check_unique(document, "service", {(*place, i): entry.name for i, entry in enumerate(entries)})
    return tuple(
        DevService(
            name=entry.name,
            command=tuple(entry.command),
            working_directory=read_folder(
                document,
                (*place, index, "working_directory"),
                entry.working_directory,
                layout,
            ),
        )
        for index, entry in enumerate(entries)
    )


def _warn_of_idle_fields(document: Document, runner: Runner) -> None:
    places: dict[Place, str] = {
        ("runner", key): f"`{key}`"
        for key in INACTIVE_RUNNER_FIELDS
        if key in runner.model_fields_set
    }
    if runner.mode == "oneshot":
        places["runner", "mode"] = "`mode: oneshot`"
    if runner.orchestrator and runner.orchestrator.type == "airflow":
        places["runner", "orchestrator", "type"] = "`type: airflow`"
    if places:
        first = min(places, key=lambda place: document.locate(place, on="key"))
        keys = ", ".join(places.values())
        document.report(field_rules.NOT_ACTED_ON, first, on="key", keys=keys)
