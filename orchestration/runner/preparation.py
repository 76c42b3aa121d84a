"""From a job to the process that one attempt of it starts."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestration.domain.job import CommandTask, ConnectorEnd, ConnectorTask
from orchestration.domain.records import dedup_to_json, replay_to_json, schema_to_json
from orchestration.domain.references import references
from orchestration.domain.secrets import owned_variables
from orchestration.errors import MissingVariableError, NoFullRefreshError, UnknownSecretsError
from orchestration.runner.checkpoints import Origin, open_checkpoints
from orchestration.runner.handover import Handover
from orchestration.runner.resolve import Resolver, inherited, proxy_passwords
from orchestration.runner.secrets import open_secrets
from orchestration.runner.spec import ProcessSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.domain.events import JsonValue
    from orchestration.domain.job import Job
    from orchestration.domain.records import Replay
    from orchestration.domain.workspace import Workspace

_NONE: Mapping[str, str] = {}
_CONNECTORS_ARGV = (sys.executable, "-m", "orchestration.connectors")


def prepare(
    job: Job,
    *,
    workspace: Workspace,
    environ: Mapping[str, str],
    run_id: str,
    attempt: int,
    traceparent: str | None = None,
    full_refresh: bool = False,
    overrides: Mapping[str, str] = _NONE,
    replay: Replay | None = None,
) -> ProcessSpec:
    """The process of attempt `attempt` (from 1) of the job; nothing is started or written yet. With
    `replay`, dead letters of a connector job take the place of its source.

    `overrides` count before everything that the files and `environ` say, and become part of the
    environment of the process. They are secrets, as is what a reference takes from the secrets of
    the tenant or from `environ`, and the password in the URL of a proxy. What `environ` holds for
    another tenant is not there for this job, nor is the URL of the database of the instance.

    Raises:
        NoFullRefreshError: `full_refresh` for a command job.
        MissingVariableError: references without a value and without a default; names them all.
        UnknownSecretsError: runner.yaml is broken, so it is not known what belongs to whom.
        OrchestrationError: the secrets of the tenant cannot be read, or must not be trusted.
    """
    _refuse(job, workspace, full_refresh=full_refresh)
    scope = _Scope(job, workspace, environ)
    origin = Origin(run_id=run_id, attempt=attempt)
    handover = _hand_over(job, workspace, origin)
    identity = _identify(job, workspace, origin, traceparent)
    identity |= handover.variables if handover else {}
    resolver = _declare(job, scope, identity, overrides)
    argv, order = _argv_and_order(job, workspace, resolver)
    if order is not None:
        order |= {"run_id": run_id, "attempt": attempt, "full_refresh": full_refresh}
        order |= _record_rules(job, replay)
    if resolver.missing:
        raise _missing(job, resolver, scope)
    whole = {**inherited(scope.environ), **resolver.declared, **identity, **overrides}
    return ProcessSpec(
        argv=argv,
        working_directory=job.task.working_directory,
        environ=whole,
        handover=handover,
        stdin=None if order is None else json.dumps(order).encode(),
        timeout=job.timeout,
        grace_period=job.grace_period,
        secrets=(*resolver.secrets, *proxy_passwords(whole)),
    )


def prepare_target(
    job: Job, task: ConnectorTask, *, workspace: Workspace, environ: Mapping[str, str]
) -> ProcessSpec:
    """As `prepare`, for one who only looks at the target of the job: of all variables and secrets,
    those are resolved that the target needs, and the source has no options.
    """
    names = _names(json.dumps(task.target.options))
    env = {name: value for name, value in job.env.items() if name in names}
    names |= _names(*env.values())
    source = ConnectorEnd(connector=task.source.connector)
    bare = replace(job, env=env, task=replace(task, source=source))
    tenants = dict(workspace.tenants)
    if tenant := tenants.get(job.tenant):
        needed = {name: value for name, value in tenant.env.items() if name in names}
        tenants[job.tenant] = replace(tenant, env=needed)
    narrowed = replace(workspace, tenants=tenants)
    return prepare(bare, workspace=narrowed, environ=environ, run_id="none", attempt=1)


def _names(*texts: str) -> set[str]:
    return {reference.name for text in texts for reference in references(text)}


def _refuse(job: Job, workspace: Workspace, *, full_refresh: bool) -> None:
    if not workspace.is_sound:
        raise UnknownSecretsError(
            f"`{job.id}` cannot run while runner.yaml has errors: it is not known which variables "
            "and secrets belong to which tenant",
            help="correct runner.yaml; `orchestrate validate` shows what is wrong with it",
        )
    if full_refresh and isinstance(job.task, CommandTask):
        raise NoFullRefreshError(
            f"a full refresh was asked for, but `{job.id}` is a command job and keeps its own state",
            help=f"begin anew with `orchestrate checkpoint reset {job.id}`, and run it without",
            location=str(job.location),
        )


class _Scope:
    """What one job can see of `environ`, and what its tenant has. `hidden` says of each variable
    that it cannot see whose that is.
    """

    def __init__(self, job: Job, workspace: Workspace, environ: Mapping[str, str]) -> None:
        tenant = workspace.tenants.get(job.tenant)
        self.tenant_env = tenant.env if tenant else _NONE
        sources = {name: other.secrets for name, other in workspace.tenants.items()}
        owners = owned_variables(environ, sources)
        self.hidden = {
            name: f"belongs to tenant `{owner}`"
            for name, owner in owners.items()
            if owner != job.tenant
        }
        if workspace.settings.postgres_url:
            self.hidden[workspace.settings.postgres_url] = (
                "is the database of all tenants' runs, `postgres_url` of runner.yaml"
            )
        self.environ = {name: environ[name] for name in environ if name not in self.hidden}
        secrets = tenant.secrets if tenant else None
        self.source = open_secrets(secrets, self.environ) if secrets else None


def _declare(
    job: Job, scope: _Scope, identity: Mapping[str, str], overrides: Mapping[str, str]
) -> Resolver:
    resolver = Resolver(environ=scope.environ, overrides=overrides, source=scope.source)
    resolver.declared |= identity
    resolver.declare(scope.tenant_env, f"tenants.{job.tenant}.env")
    resolver.declare(job.env, "env")
    return resolver


def _identify(
    job: Job, workspace: Workspace, origin: Origin, traceparent: str | None
) -> dict[str, str]:
    return {
        "ORCHESTRATE_JOB": job.id,
        "ORCHESTRATE_TENANT": job.tenant,
        "ORCHESTRATE_RUN_ID": origin.run_id,
        "ORCHESTRATE_ATTEMPT": str(origin.attempt),
        "ORCHESTRATE_RUNNER": str(workspace.runner_file),
        **({"TRACEPARENT": traceparent} if traceparent else {}),
    }


def _hand_over(job: Job, workspace: Workspace, origin: Origin) -> Handover | None:
    """None for a connector job: its state is in its target, committed with the data."""
    if isinstance(job.task, ConnectorTask):
        return None
    folder = workspace.settings.state_directory.joinpath("attempts", *job.id.split("/"))
    return Handover(
        checkpoints=open_checkpoints(workspace.settings, job.id),
        folder=folder / f"{origin.run_id}-{origin.attempt}",
        origin=origin,
    )


def _argv_and_order(
    job: Job, workspace: Workspace, resolver: Resolver
) -> tuple[tuple[str, ...], dict[str, JsonValue] | None]:
    match job.task:
        case CommandTask(command=command):
            parts = enumerate(command)
            return tuple(resolver.text(part, f"command[{at}]") for at, part in parts), None
        case ConnectorTask(source=source, target=target):
            state = workspace.settings.state_directory.joinpath("connectors", job.id)
            return _CONNECTORS_ARGV, {
                "job": job.id,
                "tenant": job.tenant,
                "name": job.name,
                "asset": job.asset,
                "source": _resolve_end(source, "source", resolver),
                "target": _resolve_end(target, "target", resolver),
                "working_directory": str(job.task.working_directory),
                "state_directory": str(state),
            }


def _record_rules(job: Job, replay: Replay | None) -> dict[str, JsonValue]:
    """What the order says of records; nothing where the job says nothing."""
    rules: dict[str, JsonValue] = {}
    if job.schema:
        rules["schema"] = schema_to_json(job.schema)
    if job.dedup:
        rules["dedup"] = dedup_to_json(job.dedup)
    if replay:
        rules["replay"] = replay_to_json(replay)
    return rules


def _resolve_end(end: ConnectorEnd, place: str, resolver: Resolver) -> dict[str, JsonValue]:
    return {
        "connector": end.connector,
        "options": resolver.value(dict(end.options), place),
    }


def _missing(job: Job, resolver: Resolver, scope: _Scope) -> MissingVariableError:
    needed = [
        f"`{name}` (for {', '.join(places)})" for name, places in sorted(resolver.missing.items())
    ]
    count = "a variable" if len(needed) == 1 else f"{len(needed)} variables"
    has = "has" if len(needed) == 1 else "have"
    source = f"{scope.source.description}, " if scope.source else ""
    refused = [
        f"; `{name}` of the environment {scope.hidden[name]}"
        for name in sorted(resolver.missing)
        if name in scope.hidden
    ]
    return MissingVariableError(
        f"job `{job.id}` needs {count} that {has} no value: {'; '.join(needed)}",
        help="set it in the environment, with `--env NAME=VALUE`, in `env` of the job or in "
        f"`tenants.{job.tenant}.env` of runner.yaml, or give a default: `${{NAME:-value}}`; "
        f"all of these places were looked in, in the order `--env`, job, tenant, {source}"
        f"environment{''.join(refused)}",
        location=str(job.location),
    )
