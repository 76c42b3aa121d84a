"""What all processes of an instance have to agree on: breakers, retry budgets, resumed schedules.

It lies in the key-value store of the Dagster instance, beside the cursors of Dagster's own daemons,
and is changed by one process at a time. A job without a breaker and a budget costs nothing here, not
even the opening of the instance.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, runtime_checkable

from orchestration.defs.instance import find_dagster_home
from orchestration.domain.breaker import CLOSED, Admission, Breaker, BreakerState
from orchestration.domain.budget import SpentRetries
from orchestration.domain.outcome import Outcome
from orchestration.domain.pause import explain_pause
from orchestration.domain.retry import Disposition, Refusal
from orchestration.errors import LedgerUnavailableError
from orchestration.observability import LogRecord, breaker_closed, breaker_opened

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping
    from contextlib import AbstractContextManager

    from dagster import DagsterInstance

    from orchestration.domain.breaker import BreakerPolicy
    from orchestration.domain.job import Job
    from orchestration.domain.schedule import Schedule
    from orchestration.domain.workspace import Workspace

_Value = TypeVar("_Value", Breaker, SpentRetries)
_LOCK_FILE: Final = "ledger.lock"
_logger = logging.getLogger(__name__)


@runtime_checkable
class ExclusiveStorage(Protocol):
    """A storage that several machines share, with a lock of its own."""

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """Alone with that name among all processes of all machines, as long as the block runs."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRow:
    """How the breaker of a tenant and a connector stands. `failures` are those that count, `since`
    is when it opened, and `reason` says it all in words.
    """

    tenant: str
    connector: str
    state: BreakerState
    failures: int
    since: datetime | None
    next_probe: datetime | None
    reason: str

    @classmethod
    def of(cls, job: Job, policy: BreakerPolicy, breaker: Breaker, now: datetime) -> BreakerRow:
        """How the breaker of a job's tenant and connector stands at `now`."""
        return cls(
            tenant=job.tenant,
            connector=job.connector,
            state=breaker.state(policy, now),
            failures=breaker.count(policy, now),
            since=breaker.opened,
            next_probe=breaker.next_probe(policy, now),
            reason=_explain(job, breaker.explain(policy, now)),
        )


class Ledger:
    """The state of one instance. `connect` opens it, which is done when there is something to ask;
    `clock` tells an aware instant.
    """

    def __init__(
        self,
        connect: Callable[[], DagsterInstance],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connect = connect
        self._clock = clock

    def record(
        self, job: Job, outcome: Outcome, disposition: Disposition | None = None
    ) -> LogRecord | None:
        """Count an attempt that has ended; what to log where that opens or closes the breaker.

        Comes before `claim_retry` after the same attempt, which asks a breaker that knows of it.

        Raises:
            LedgerUnavailableError: the database of the instance has gone away.
        """
        with _reachable():
            return self._record(job, outcome, disposition)

    def _record(
        self, job: Job, outcome: Outcome, disposition: Disposition | None
    ) -> LogRecord | None:
        policy, key = job.breaker, _breaker_key(job.tenant, job.connector)
        if policy is None or disposition is Disposition.DISCARDABLE:
            return None
        if outcome in (Outcome.FAILED, Outcome.TIMED_OUT):
            now = self._clock()
            before, after = self._update(key, Breaker, lambda b: b.record_failure(policy, now))
            if after is not None and after.opened != before.opened:
                return breaker_opened(job.tenant, job.connector, after.explain(policy, now))
        # Nearly always there is nothing to close, and then nothing is locked.
        elif outcome is not Outcome.CANCELLED and self._read(key, Breaker) != CLOSED:
            before, _ = self._update(key, Breaker, lambda _: CLOSED)
            if before.opened is not None:
                return breaker_closed(job.tenant, job.connector)
        return None

    def claim_retry(self, job: Job) -> Refusal | None:
        """Count one more retry of the job, unless it is refused: by the breaker while that is not
        closed, else by the budget.

        Raises:
            LedgerUnavailableError: the database of the instance has gone away.
        """
        with _reachable():
            return self._claim_retry(job)

    def _claim_retry(self, job: Job) -> Refusal | None:
        policy, budget = job.breaker, job.retry.budget
        if policy is not None:
            now = self._clock()
            breaker = self._read(_breaker_key(job.tenant, job.connector), Breaker)
            if breaker.state(policy, now) is not BreakerState.CLOSED:
                return Refusal(rule="breaker", reason=_explain(job, breaker.explain(policy, now)))
        if budget is not None:
            key = _budget_key(job.tenant, job.connector)
            _, after = self._update(
                key, SpentRetries, lambda spent: spent.spend(budget, self._clock())
            )
            if after is None:
                return budget.refusal
        return None

    def admit(self, job: Job, claimant: str, *, claim: bool = True) -> Admission:
        """Whether a run of the job may start that nobody has started by hand. `claimant` names the
        run: who asks again with the same name gets the same answer. Without `claim` it is a look
        that leaves the probe to others.
        """
        policy, key = job.breaker, _breaker_key(job.tenant, job.connector)
        if policy is None:
            return Admission()
        now = self._clock()
        before = self._read(key, Breaker)
        after = before.admit(policy, claimant, now)
        if claim and after not in (None, before):
            before, after = self._update(key, Breaker, lambda b: b.admit(policy, claimant, now))
        if after is None:
            return Admission(refusal=_explain(job, before.explain(policy, now)))
        return Admission(is_probe=after.probe is not None)

    def breakers(self, jobs: Iterable[Job]) -> list[BreakerRow]:
        """The breakers that the jobs have, in the order of tenants and connectors."""
        guarded = [job for job in jobs if job.breaker]
        keys = {_breaker_key(job.tenant, job.connector) for job in guarded}
        if not keys:
            return []
        stored = self._connect().run_storage.get_cursor_values(keys)
        return list_breakers(guarded, self._clock(), stored)

    def reset(self, tenant: str, connector: str) -> bool:
        """Close the breaker and forget the failures; False where there was nothing to forget."""
        before, _ = self._update(_breaker_key(tenant, connector), Breaker, lambda _: CLOSED)
        return before != CLOSED

    def resume(self, schedule: str) -> None:
        """Let the runs that have ended up to now count no more against the schedule of that name."""
        value = self._clock().isoformat()
        self._connect().run_storage.set_cursor_values({_resumed_key(schedule): value})

    def resumed(self, schedule: str) -> datetime | None:
        """When the schedule of that name was resumed last; None if it never was."""
        value = self._get(_resumed_key(schedule))
        return datetime.fromisoformat(value) if value else None

    def pauses(self, schedules: Iterable[Schedule]) -> dict[str, str]:
        """Why `max_consecutive_errors` has paused schedules, by their names."""
        from orchestration.defs.history import InstanceHistory

        reasons = {
            schedule.name: explain_pause(
                schedule,
                InstanceHistory(self._connect, schedule.job_id),
                partial(self.resumed, schedule.name),
            )
            for schedule in schedules
        }
        return {name: reason for name, reason in reasons.items() if reason}

    def _read(self, key: str, kind: type[_Value]) -> _Value:
        return _parse(key, self._get(key), kind)

    def _update(
        self, key: str, kind: type[_Value], change: Callable[[_Value], _Value | None]
    ) -> tuple[_Value, _Value | None]:
        """The value before and after a change that nobody else comes between; None changes nothing."""
        instance = self._connect()
        with _alone(instance, key):
            before = self._read(key, kind)
            after = change(before)
            if after is not None and after != before:
                instance.run_storage.set_cursor_values({key: json.dumps(after.to_json())})
        return before, after

    def _get(self, key: str) -> str | None:
        return self._connect().run_storage.get_cursor_values({key}).get(key)


def open_ledger(workspace: Workspace, environ: Mapping[str, str] = os.environ) -> Ledger | None:
    """The ledger of the workspace's instance, for a process outside of Dagster; None where nothing
    has ever been up. The instance is opened when there is something to ask.
    """
    home = find_dagster_home(workspace.settings.state_directory, environ)
    if not (home / "dagster.yaml").is_file():
        return None

    @cache
    def connect() -> DagsterInstance:
        from dagster import DagsterInstance

        return DagsterInstance.from_config(str(home))

    return Ledger(connect)


def list_breakers(
    jobs: Iterable[Job], now: datetime, stored: Mapping[str, str] = MappingProxyType({})
) -> list[BreakerRow]:
    """The breakers that the jobs have, in the order of tenants and connectors. `stored` are the
    values of the instance; where nothing has ever been up there are none, and all are closed.
    """
    guarded = {(job.tenant, job.connector): job for job in jobs}
    rows: list[BreakerRow] = []
    for names, job in sorted(guarded.items(), key=lambda item: item[0]):
        key = _breaker_key(*names)
        if job.breaker is not None:
            breaker = _parse(key, stored.get(key), Breaker)
            rows.append(BreakerRow.of(job, job.breaker, breaker, now))
    return rows


@contextmanager
def _reachable() -> Generator[None]:
    """Turns the errors of a database that has gone away into ours."""
    try:
        yield
    except _database_errors() as error:
        reason = str(error).partition("\n")[0]
        raise LedgerUnavailableError(
            f"breakers and retry budgets are not within reach: {reason}",
            help="see whether the database of the instance is up: `orchestrate doctor`",
        ) from error


def _database_errors() -> tuple[type[Exception], ...]:
    """What is raised when a database does not answer. Dagster's PostgreSQL library, an extra, has an
    error of its own, for when it has tried for long enough.
    """
    from sqlalchemy.exc import SQLAlchemyError

    postgres = sys.modules.get("dagster_postgres.utils")
    own: tuple[type[Exception], ...] = (postgres.DagsterPostgresException,) if postgres else ()
    return (SQLAlchemyError, OSError, *own)


@contextmanager
def _alone(instance: DagsterInstance, name: str) -> Generator[None]:
    """Alone with that name among all processes that share the instance. Where the storage has no
    lock of its own, all of them are on this machine.
    """
    storage = instance.run_storage
    if isinstance(storage, ExclusiveStorage):
        with storage.exclusive(name):
            yield
    else:
        with Path(instance.root_directory, _LOCK_FILE).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _parse(key: str, text: str | None, kind: type[_Value]) -> _Value:
    """The value of a key. One that cannot be read counts as none: no job shall stand still by it."""
    if text is None:
        return kind()
    try:
        return kind.from_json(json.loads(text))
    except ValueError:
        _logger.warning("the value of `%s` cannot be read, and is begun anew: %s", key, text[:200])
        return kind()


def _explain(job: Job, state: str) -> str:
    return f"the breaker of `{job.connector}` for tenant `{job.tenant}` is {state}"


def _breaker_key(tenant: str, connector: str) -> str:
    return f"orchestration/breaker/{tenant}/{connector}"


def _budget_key(tenant: str, connector: str) -> str:
    return f"orchestration/budget/{tenant}/{connector}"


def _resumed_key(schedule: str) -> str:
    return f"orchestration/resumed/{schedule}"
