"""The names that are taken: no two jobs share an id or an asset, nor come close to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

from orchestration.config import workspace_rules
from orchestration.domain.job import RUNNER_FAULT_KEY, make_asset_key

if TYPE_CHECKING:
    from orchestration.config.document import Document
    from orchestration.config.jobs import Identity
    from orchestration.config.rules import Rule
    from orchestration.domain.job import BrokenJob, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """A name that another job has: in the key `key` of a job file, reported by `rule`."""

    rule: Rule
    key: str
    name: str
    taken: str
    file: str

    def report(self, document: Document) -> None:
        """Report it in the file of the later job."""
        document.report(self.rule, (self.key,), name=self.name, taken=self.taken, other=self.file)


@dataclass(frozen=True, slots=True)
class _Owner:
    name: str
    file: str


class Registry:
    """Takes jobs one after the other; the first to claim a name has it.

    The asset that shows the errors of `runner_file` was there before all jobs.
    """

    def __init__(self, runner_file: str) -> None:
        fault = _Owner("/".join(RUNNER_FAULT_KEY), runner_file)
        self._owners = {_fold_key(RUNNER_FAULT_KEY): fault}

    def find_clash(self, job: Job) -> Clash | None:
        """What keeps a job from being taken; None if nothing does."""
        by_id = self._owners.get(_fold_id(job.id))
        if by_id:
            return _clash(by_id, job.id, "name", workspace_rules.DUPLICATE_JOB)
        by_asset = self._owners.get(_fold_key(job.asset_key))
        if by_asset:
            return _clash(
                by_asset, "/".join(job.asset_key), "asset", workspace_rules.DUPLICATE_ASSET
            )
        return None

    def take(self, job: Job | BrokenJob) -> None:
        """Claim the names of a job."""
        file = job.location.file
        self._owners[_fold_id(job.id)] = _Owner(job.id, file)
        self._owners[_fold_key(job.asset_key)] = _Owner("/".join(job.asset_key), file)

    def make_free(self, identity: Identity) -> Identity:
        """The identity, with a number behind its name and asset where they are taken."""
        for number in count(2):
            if self._is_free(identity):
                break
            identity = replace(
                identity,
                name=f"{identity.name.rsplit('__', 1)[0]}__{number}",
                asset=f"{identity.asset.rsplit('__', 1)[0]}__{number}",
            )
        return identity

    def _is_free(self, identity: Identity) -> bool:
        key = make_asset_key(identity.tenant, identity.target_connector, identity.asset)
        names = (_fold_id(f"{identity.tenant}/{identity.name}"), _fold_key(key))
        return not any(name in self._owners for name in names)


def _clash(owner: _Owner, name: str, key: str, same: Rule) -> Clash:
    rule = same if owner.name == name else workspace_rules.CLASHING_NAMES
    return Clash(rule=rule, key=key, name=name, taken=owner.name, file=owner.file)


def _fold_id(job_id: str) -> str:
    """How folders that ignore case see it."""
    return f"id:{job_id.casefold()}"


def _fold_key(asset_key: tuple[str, ...]) -> str:
    """How Dagster names the op of an asset, and warehouses that ignore case see the table."""
    return f"key:{'__'.join(asset_key).casefold()}"
