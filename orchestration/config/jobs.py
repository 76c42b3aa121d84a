"""From a job file to a job."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING

from orchestration.config import field_rules, names
from orchestration.config.checks import (
    check_secrets,
    check_tags,
    check_variables,
    read_folder,
    refuse_name,
)
from orchestration.config.connector_ends import read_ends
from orchestration.config.failures import FailureDefaults, read_job_retries
from orchestration.config.job_file import INACTIVE_FIELDS, RUN_TIME_FIELDS, JobFile
from orchestration.config.records import RECORD_FIELDS, RecordRules, read_record_rules
from orchestration.config.translate import Translator
from orchestration.config.validation import validate
from orchestration.config.variables import resolve_references
from orchestration.config.words import show
from orchestration.domain.durations import format_duration
from orchestration.domain.job import CommandTask, ConnectorTask, Job, JobKind
from orchestration.domain.retry import NO_RETRIES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from orchestration.config.catalog import ConnectorCatalog
    from orchestration.config.document import Document, Place
    from orchestration.config.files import Layout
    from orchestration.config.records import ReadAsset
    from orchestration.config.rules import Rule
    from orchestration.config.variables import When

WHAT = "a job file"
_GRACE_PERIOD = timedelta(seconds=10)
_CONNECTORS = ("source_connector", "target_connector")
_IDLE_WITH_COMMAND = ("image",)
_IDLE_WITHOUT_CONNECTORS = ("source", "target", *RECORD_FIELDS)
_IDLE_WITH_CONNECTORS = ("image", "working_directory")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """What job files are read with. `owners` are the variables that are secrets of a tenant,
    and `failures` what `runner.yaml` says in place of jobs that do not;
    `read_asset` reads the definition that a job file names at a place, or reports why it cannot.
    """

    layout: Layout
    environ: Mapping[str, str]
    catalog: ConnectorCatalog
    owners: Mapping[str, str] = field(default_factory=dict[str, str])
    failures: FailureDefaults = field(default_factory=FailureDefaults)
    read_asset: ReadAsset | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a job is: as its file says, else as its path says. All parts are valid names."""

    tenant: str
    name: str
    asset: str
    target_connector: str | None


def read_job(document: Document, path: str, context: JobContext) -> Job | None:
    """The job that a document describes; None if it has errors. They are reported in it."""
    if not document.complete:
        return None
    check_secrets(document)
    data = resolve_references(document, _when, context.environ, context.owners)
    translator = Translator(document, JobFile, what=WHAT, hidden=INACTIVE_FIELDS)
    file, faulty = validate(JobFile, data, translator)
    if file is None:
        return None
    return _Reader(document, file, faulty, path, context).read()


def identify(document: Document, path: str, layout: Layout) -> Identity:
    """Who the job of a broken file is, as far as that can be read."""
    tenant = _text(document, "tenant_id") or layout.folder_tenant(path) or "unknown"
    name = _text(document, "name") or PurePath(path).stem
    target = _text(document, "target_connector")
    return Identity(
        tenant=names.normalise(tenant),
        name=names.normalise(name) if names.check_job_name(name) else name,
        asset=names.normalise(_text(document, "asset") or name),
        target_connector=names.normalise(target) if target else None,
    )


def _text(document: Document, key: str) -> str:
    value = document.data.get(key)
    return value if isinstance(value, str) and "${" not in value else ""


def _when(place: Place) -> When:
    if place[0] in RUN_TIME_FIELDS:
        return "run"
    return "never" if place[0] in INACTIVE_FIELDS else "load"


class _Reader:
    """Reads one validated file. `faulty` are the keys that were left out for their errors."""

    def __init__(
        self,
        document: Document,
        file: JobFile,
        faulty: frozenset[str],
        path: str,
        context: JobContext,
    ) -> None:
        self._document = document
        self._file = file
        self._faulty = faulty
        self._path = path
        self._context = context

    def read(self) -> Job | None:
        file = self._file
        tenant, name, asset = self._read_names()
        self._check_labels()
        task = self._read_task()
        connector = file.source_connector or JobKind.COMMAND.value
        failures = self._context.failures
        retry = read_job_retries(self._document, file.retry_config, failures.retry(connector))
        self._check_timeouts()
        records = self._read_record_rules()
        self._warn_of_idle_fields()
        if task is None or self._document.has_errors:
            return None
        return Job(
            tenant=tenant,
            name=name,
            asset=asset,
            kind=JobKind.COMMAND if isinstance(task, CommandTask) else JobKind.CONNECTOR,
            task=task,
            location=self._document.locate(()),
            source_connector=file.source_connector or None,
            target_connector=file.target_connector or None,
            description=file.description,
            environment=file.environment or None,
            owners=tuple(file.owners or ()),
            tags=file.tags or {},
            env=file.env or {},
            timeout=file.timeout or None,
            grace_period=file.grace_period or _GRACE_PERIOD,
            run_timeout=file.run_timeout or None,
            retry=retry or NO_RETRIES,
            breaker=failures.breaker(connector),
            schema=records.schema,
            dedup=records.dedup,
        )

    def _read_names(self) -> tuple[str, str, str]:
        tenant = self._read_tenant()
        name = self._file.name or PurePath(self._path).stem
        asset = self._file.asset or names.normalise(name)
        refusal = names.check_job_name(name)
        refuse_name(self._document, ("name",), name, "the name of a job", refusal)
        refuse_name(self._document, ("asset",), asset, "an asset", names.check_name(asset))
        for key in _CONNECTORS:
            value: str = getattr(self._file, key)
            if value:
                refuse_name(self._document, (key,), value, "a connector", names.check_name(value))
        return tenant, name, asset

    def _read_tenant(self) -> str:
        """`tenant_id`, else the folder below `jobs/` (004-21: the tenant is inferred)."""
        place: Place = ("tenant_id",)
        given = self._file.tenant_id
        folder = self._context.layout.folder_tenant(self._path)
        tenant = given or folder
        if not tenant:
            if "tenant_id" not in self._faulty:
                self._document.report(field_rules.NO_TENANT)
            return ""
        refusal = names.check_name(tenant, reserved=names.RESERVED_NAMES)
        refuse_name(self._document, place, tenant, "a tenant", refusal)
        if folder and tenant != folder and not refusal:
            self._document.report(
                field_rules.FOREIGN_FOLDER, place, tenant=show(tenant), folder=show(folder)
            )
        return tenant

    def _check_labels(self) -> None:
        document, file = self._document, self._file
        for index, owner in enumerate(file.owners or ()):
            if not names.is_owner(owner):
                document.report(field_rules.BAD_OWNER, ("owners", index), value=show(owner))
        check_tags(document, ("tags",), file.tags, strict_values=True)
        check_variables(document, ("env",), file.env)
        refusal = names.check_tag_value(file.environment)
        refuse_name(document, ("environment",), file.environment, "an environment", refusal)

    def _read_task(self) -> CommandTask | ConnectorTask | None:
        document, file, layout = self._document, self._file, self._context.layout
        folder = read_folder(document, ("working_directory",), file.working_directory, layout)
        if file.command:
            return CommandTask(
                command=tuple(file.command), working_directory=folder, image=file.image or None
            )
        if not (file.source_connector and file.target_connector):
            self._report_nothing_to_run()
            return None
        source, target = read_ends(document, file, self._context.catalog, faulty=self._faulty)
        return ConnectorTask(source=source, target=target, working_directory=layout.root_path)

    def _report_nothing_to_run(self) -> None:
        missing = [key for key in _CONNECTORS if not getattr(self._file, key)]
        if self._faulty.intersection((*missing, "command")) or self._has_misspelt(missing):
            return
        both = len(missing) == len(_CONNECTORS)
        what = "it has no `command` and no connectors" if both else f"`{missing[0]}` is missing"
        self._document.report(field_rules.NOTHING_TO_RUN, missing=what)

    def _has_misspelt(self, keys: list[str]) -> bool:
        """Whether an unknown key was reported that looks like one of `keys`, or like `command`."""
        hints = [problem.hint for problem in self._document.problems]
        return any(f"`{key}`" in hint for key in (*keys, "command") for hint in hints)

    def _check_timeouts(self) -> None:
        """An attempt is cut off with its run, so a longer time-out of its own never applies."""
        timeout, longest = self._file.timeout, self._file.run_timeout
        longest = longest or self._context.failures.run_timeout
        if timeout > longest:
            self._document.report(
                field_rules.TIMEOUT_ABOVE_LIMIT,
                ("timeout",),
                timeout=format_duration(timeout),
                longest=format_duration(longest),
            )

    def _read_record_rules(self) -> RecordRules:
        if not self._moves_records:
            return RecordRules()
        read_asset = self._context.read_asset
        return read_record_rules(self._document, self._file, read_asset, faulty=self._faulty)

    @property
    def _moves_records(self) -> bool:
        """Whether records go through connectors that are installed: other jobs cannot check them."""
        file, catalog = self._file, self._context.catalog
        return (
            not file.command
            and file.source_connector in catalog.names("source")
            and file.target_connector in catalog.names("target")
        )

    def _warn_of_idle_fields(self) -> None:
        idle = _IDLE_WITH_COMMAND if self._file.command else _IDLE_WITH_CONNECTORS
        if not (self._file.command or self._moves_records):
            idle = (*idle, *RECORD_FIELDS)
        self._warn(field_rules.NOT_ACTED_ON, (*INACTIVE_FIELDS, *idle))
        if self._file.command:
            self._warn(field_rules.FOR_CONNECTOR_JOBS, _IDLE_WITHOUT_CONNECTORS)
        elif self._moves_records and "asset_path" not in self._document.data:
            self._warn(field_rules.FOR_DEFINITIONS, ("schema_validation_mode",))

    def _warn(self, rule: Rule, idle: Collection[str]) -> None:
        """One warning for those of the keys that the file has, at the first of them."""
        keys = [key for key in self._document.data if key in idle]
        if keys:
            shown = ", ".join(f"`{key}`" for key in keys)
            self._document.report(rule, (keys[0],), on="key", keys=shown)
