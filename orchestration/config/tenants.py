"""From `runner.tenants` to tenants."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from orchestration.config import field_rules, names
from orchestration.config.checks import check_variables, refuse_name
from orchestration.config.runner_file import EnvSecretsEntry, FileSecretsEntry, TenantEntry
from orchestration.config.words import show
from orchestration.domain.limits import Priority
from orchestration.domain.secrets import EnvSecrets, FileSecrets, SecretSource
from orchestration.domain.workspace import Tenant

if TYPE_CHECKING:
    from orchestration.config.document import Document, Place
    from orchestration.config.files import Layout
    from orchestration.config.runner_file import Runner

_SHORTEST_PREFIX = 2


def read_tenants(document: Document, runner: Runner, layout: Layout) -> dict[str, Tenant]:
    """The tenants that the file names, with the defaults for what it does not say of them."""
    default = runner.orchestrator.concurrency_per_tenant if runner.orchestrator else 1
    tenants: dict[str, Tenant] = {}
    for name, given in (runner.tenants or {}).items():
        place: Place = ("runner", "tenants", name)
        refusal = names.check_name(name, reserved=names.RESERVED_NAMES)
        if refusal:
            refuse_name(document, place, name, "a tenant", refusal)
            continue
        entry = given or TenantEntry()
        check_variables(document, (*place, "env"), entry.env)
        secrets = _read_secrets(document, (*place, "secrets"), entry, layout)
        tenants[name] = Tenant(
            name=name,
            concurrency=entry.concurrency or default,
            priority=Priority(entry.priority),
            env=entry.env or {},
            secrets=secrets,
        )
    _check_prefixes(document, tenants)
    return tenants


def _read_secrets(
    document: Document, place: Place, entry: TenantEntry, layout: Layout
) -> SecretSource | None:
    match entry.secrets:
        case None:
            return None
        case EnvSecretsEntry(prefix=prefix):
            if not names.is_variable_name(prefix) or len(prefix) < _SHORTEST_PREFIX:
                suggestion = f"{names.normalise(str(place[-2])).upper()}_"
                document.report(
                    field_rules.BAD_PREFIX,
                    (*place, "prefix"),
                    value=show(prefix),
                    suggestion=suggestion,
                )
            return EnvSecrets(prefix=prefix)
        case FileSecretsEntry(path=path):
            return FileSecrets(path=Path(layout.resolve(path)))
        case _:
            assert_never(entry.secrets)


def _check_prefixes(document: Document, tenants: dict[str, Tenant]) -> None:
    """No secret of one tenant may be one of another tenant too."""
    earlier: dict[str, str] = {}
    for tenant in tenants.values():
        if not isinstance(tenant.secrets, EnvSecrets):
            continue
        prefix = tenant.secrets.prefix
        for taken, owner in earlier.items():
            if prefix.startswith(taken) or taken.startswith(prefix):
                document.report(
                    field_rules.SHARED_PREFIX,
                    ("runner", "tenants", tenant.name, "secrets", "prefix"),
                    value=show(prefix),
                    taken=show(taken),
                    tenant=owner,
                    suggestion=f"{tenant.name.upper()}_",
                )
                break
        earlier.setdefault(prefix, tenant.name)
