"""Checks that need no running instance: files, versions, disks, secrets, database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestration import __version__
from orchestration.cli.doctor.finding import Finding, fail, fine, warn
from orchestration.cli.validate import contents, summarise
from orchestration.domain.secrets import FileSecrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.cli.doctor.observed import Observed

_MIB: Final = 2**20
_LITTLE: Final = 1024 * _MIB
_TOO_LITTLE: Final = 100 * _MIB
_CORE: Final = ("dagster", "dagster-graphql", "dagster-pipes", "dagster-shared")
_INSTALL_AGAIN: Final = "install the package again, with the versions that it names"


def check_files(seen: Observed) -> Iterator[Finding]:
    """runner.yaml and the job files are right."""
    workspace = seen.workspace
    if not workspace.problems:
        yield fine(contents(workspace))
        return
    judge = fail if workspace.has_errors else warn
    yield judge(
        f"{contents(workspace)}: {summarise(workspace.problems)}",
        help="see `orchestrate validate`",
    )


def check_versions(seen: Observed) -> Iterator[Finding]:
    """The packages of Dagster are of one release, and what runs is what is installed."""
    installed = seen.installed
    core = {name: installed.get(name, "missing") for name in (*_CORE, "dagster-webserver")}
    if len(set(core.values())) > 1:
        found = ", ".join(f"{name} {version}" for name, version in core.items())
        yield fail(f"the packages of Dagster do not belong together: {found}", help=_INSTALL_AGAIN)
    libraries = {name: v for name, v in installed.items() if v.startswith("0.")}
    if len(set(libraries.values())) > 1:
        found = ", ".join(f"{name} {version}" for name, version in libraries.items())
        yield fail(f"the libraries of Dagster do not belong together: {found}", help=_INSTALL_AGAIN)
    here = {"orchestration": __version__, "dagster": core["dagster"], "Python": installed["python"]}
    if seen.instance and seen.live:
        there = {
            "orchestration": seen.instance.version,
            "dagster": seen.live.version,
            "Python": seen.instance.python,
        }
        for name, version in here.items():
            if version != there[name]:
                yield warn(
                    f"{name} {there[name]} is running, and {version} is installed",
                    help=f"restart `orchestrate {seen.instance.command}`",
                )
    yield fine(", ".join(f"{name} {version}" for name, version in here.items()))


def check_disk(seen: Observed) -> Iterator[Finding]:
    """State, history and logs have room to grow."""
    for folder, free in seen.free_bytes.items():
        found = f"{free / _MIB / 1024:,.1f} GiB are free for {folder}"
        cure = "make room, or move the folder to a larger disk"
        if free < _TOO_LITTLE:
            yield fail(f"{free // _MIB} MiB are free for {folder}", help=cure)
        elif free < _LITTLE:
            yield warn(found, help=cure)
        else:
            yield fine(found)


def check_secrets(seen: Observed) -> Iterator[Finding]:
    """Files of secrets can be read by us, and by nobody else."""
    tenants = seen.workspace.tenants
    for tenant, error in seen.secrets.items():
        source = tenants[tenant].secrets
        if error:
            yield fail(f"tenant {tenant}: {error.reason}", help=error.help)
        elif isinstance(source, FileSecrets):
            yield fine(f"tenant {tenant}: {source.path} is ours alone")


def check_database(seen: Observed) -> Iterator[Finding]:
    """The PostgreSQL database, where there is one, answers."""
    variable = seen.workspace.settings.postgres_url
    if seen.database:
        yield fail(seen.database.reason, help=seen.database.help)
    elif variable:
        yield fine(f"the PostgreSQL database in {variable} answers")
