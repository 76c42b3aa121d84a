"""The retries that the jobs of a tenant with one connector have made of late, for their budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Self, cast

from orchestration.domain.events import JsonValue
from orchestration.domain.stamps import parse_stamp

if TYPE_CHECKING:
    from orchestration.domain.retry import RetryBudget

KEPT_AT_LEAST: Final = 200
_KEPT_FOR_AT_LEAST: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentRetries:
    """The instants of those that any of the budgets may still count, in order.

    Jobs may have different budgets: each counts the retries of all of them against its own limit.
    So as many are kept as the largest budget that has asked allows, for as long as the longest. A
    larger one may ask later: the last 200 of a day are kept in any case.
    """

    at: tuple[datetime, ...] = ()
    most: int = 0
    longest: timedelta = timedelta(0)

    def spend(self, budget: RetryBudget, now: datetime) -> SpentRetries | None:
        """With one more retry at `now`; None if that is more than the budget allows."""
        if not budget.allows(self.at, now):
            return None
        most, longest = max(self.most, budget.retries), max(self.longest, budget.per)
        kept_for = max(longest, _KEPT_FOR_AT_LEAST)
        stamps = sorted((*(at for at in self.at if now - at < kept_for), now))
        kept = tuple(stamps[-max(most, KEPT_AT_LEAST) :])
        return SpentRetries(at=kept, most=most, longest=longest)

    def to_json(self) -> dict[str, JsonValue]:
        """The value that `from_json` reads."""
        return {
            "at": [at.isoformat() for at in self.at],
            "most": self.most,
            "longest_seconds": self.longest.total_seconds(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, JsonValue]) -> Self:
        """What `to_json` has made a value of.

        Raises:
            ValueError: it is none of these.
        """
        try:
            return cls(
                at=tuple(map(parse_stamp, cast("list[str]", value["at"]))),
                most=int(cast("int", value["most"])),
                longest=timedelta(seconds=cast("float", value["longest_seconds"])),
            )
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"these are no retries: {value}") from error
