"""Whether jobs may run and be repeated, as all processes of an instance agree on it: the breakers and
the retry budgets of tenants and connectors.

A job without a breaker and a budget costs nothing here, not even the opening of the instance.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from orchestration.defs.shared_values import SharedValues
from orchestration.domain.breaker import CLOSED, Admission, Breaker, BreakerState
from orchestration.domain.budget import SpentRetries
from orchestration.domain.outcome import Outcome
from orchestration.domain.retry import Disposition, Refusal
from orchestration.observability import LogRecord, breaker_closed, breaker_opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orchestration.defs.shared_values import Connect
    from orchestration.domain.breaker import BreakerPolicy
    from orchestration.domain.job import Job


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


@dataclass(frozen=True, slots=True)
class BreakerLook:
    """The breakers that one look has found, by key, each as the last claim of that look has left it."""

    breakers: dict[str, Breaker]


class Ledger:
    """The breakers and budgets of one instance. `clock` tells an aware instant.

    Each method raises `LedgerUnavailableError` where the database of the instance has gone away.
    """

    def __init__(
        self, connect: Connect, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._values = SharedValues(connect)
        self._clock = clock

    def record(
        self,
        job: Job,
        outcome: Outcome,
        disposition: Disposition | None = None,
        *,
        began: datetime | None = None,
    ) -> LogRecord | None:
        """Count an attempt that has ended, and `began` just before if nothing is said of that; what to
        log where that opens or closes the breaker.

        Comes before `claim_retry` after the same attempt, which asks a breaker that knows of it.
        """
        policy, key = job.breaker, _breaker_key(job.tenant, job.connector)
        if policy is None or disposition is Disposition.DISCARDABLE:
            return None
        if outcome in (Outcome.FAILED, Outcome.TIMED_OUT):
            now = self._clock()
            before, after = self._values.update(
                key, Breaker, lambda b: b.record_failure(policy, now, began)
            )
            if after is not None and after.opened != before.opened:
                return breaker_opened(job.tenant, job.connector, after.explain(policy, now))
        # Nearly always there is nothing to close, and then nothing is locked.
        elif outcome is not Outcome.CANCELLED and self._values.read(key, Breaker) != CLOSED:
            before, _ = self._values.update(key, Breaker, lambda _: CLOSED)
            if before.opened is not None:
                return breaker_closed(job.tenant, job.connector)
        return None

    def claim_retry(self, job: Job) -> Refusal | None:
        """Count one more retry of the job, unless it is refused: by the breaker while that is not
        closed, else by the budget.
        """
        policy, budget = job.breaker, job.retry.budget
        if policy is not None:
            now = self._clock()
            breaker = self._values.read(_breaker_key(job.tenant, job.connector), Breaker)
            if breaker.state(policy, now) is not BreakerState.CLOSED:
                return Refusal(rule="breaker", reason=_explain(job, breaker.explain(policy, now)))
        if budget is not None:
            key = _budget_key(job.tenant, job.connector)
            _, after = self._values.update(
                key, SpentRetries, lambda spent: spent.spend(budget, self._clock())
            )
            if after is None:
                return budget.refusal
        return None

    def look(self, jobs: Iterable[Job]) -> BreakerLook:
        """The breakers of all these jobs, for `admit`, with one question to the database."""
        keys = {_breaker_key(job.tenant, job.connector) for job in jobs if job.breaker}
        return BreakerLook(self._values.read_all(keys, Breaker))

    def admit(
        self,
        job: Job,
        claimant: str,
        *,
        claim: bool = True,
        seen: BreakerLook | None = None,
    ) -> Admission:
        """Whether a run of the job may start that nobody has started by hand. `claimant` names the
        run: who asks again with the same name gets the same answer. Without `claim` it is a look
        that leaves the probe to others. `seen` is a look at the job, and learns what comes of this.
        """
        policy, key = job.breaker, _breaker_key(job.tenant, job.connector)
        if policy is None:
            return Admission()
        now = self._clock()
        before = seen.breakers[key] if seen else self._values.read(key, Breaker)
        after = before.admit(policy, claimant, now)
        if claim and after not in (None, before):
            before, after = self._values.update(
                key, Breaker, lambda b: b.admit(policy, claimant, now)
            )
        if seen:
            seen.breakers[key] = after or before
        if after is None:
            return Admission(refusal=_explain(job, before.explain(policy, now)))
        return Admission(is_probe=after.probe is not None)

    def breakers(self, jobs: Iterable[Job]) -> list[BreakerRow]:
        """The breakers that the jobs have, in the order of tenants and connectors."""
        guarded = [job for job in jobs if job.breaker]
        keys = {_breaker_key(job.tenant, job.connector) for job in guarded}
        return list_breakers(guarded, self._clock(), self._values.read_all(keys, Breaker))

    def reset(self, tenant: str, connector: str) -> bool:
        """Close the breaker and forget the failures; False where there was nothing to forget."""
        before, _ = self._values.update(_breaker_key(tenant, connector), Breaker, lambda _: CLOSED)
        return before != CLOSED


def list_breakers(
    jobs: Iterable[Job], now: datetime, stored: Mapping[str, Breaker] = MappingProxyType({})
) -> list[BreakerRow]:
    """The breakers that the jobs have, in the order of tenants and connectors. `stored` are the
    values of the instance; where nothing has ever been up there are none, and all are closed.
    """
    guarded = {(job.tenant, job.connector): job for job in jobs}
    rows: list[BreakerRow] = []
    for names, job in sorted(guarded.items(), key=lambda item: item[0]):
        key = _breaker_key(*names)
        if job.breaker is not None:
            rows.append(BreakerRow.of(job, job.breaker, stored.get(key, CLOSED), now))
    return rows


def _explain(job: Job, state: str) -> str:
    return f"the breaker of `{job.connector}` for tenant `{job.tenant}` is {state}"


def _breaker_key(tenant: str, connector: str) -> str:
    return f"orchestration/breaker/{tenant}/{connector}"


def _budget_key(tenant: str, connector: str) -> str:
    return f"orchestration/budget/{tenant}/{connector}"
