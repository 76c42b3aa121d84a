"""What `runner.yaml` says of the failures of jobs: defaults for all, and for single connectors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from orchestration.config import field_rules
from orchestration.config.retries import read_retries
from orchestration.config.words import name_place
from orchestration.domain.breaker import BreakerPolicy
from orchestration.domain.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.config.document import Document, Place
    from orchestration.config.policy_file import BreakerEntry, RetryConfig
    from orchestration.config.runner_file import Runner

RUN_TIMEOUT = timedelta(hours=24)
_ALL = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureDefaults:
    """What holds for jobs that do not say it themselves. `retries` and `breakers` are by source
    connector, the empty name standing for all connectors that are not there.
    """

    run_timeout: timedelta = RUN_TIMEOUT
    retries: Mapping[str, RetryPolicy] = field(default_factory=dict[str, RetryPolicy])
    breakers: Mapping[str, BreakerPolicy] = field(default_factory=dict[str, BreakerPolicy])

    @property
    def connectors(self) -> frozenset[str]:
        """The connectors of which something is said."""
        return frozenset((*self.retries, *self.breakers)) - {_ALL}

    def retry(self, connector: str) -> RetryPolicy | None:
        """The policy of jobs with that source connector; None if nothing is said of them."""
        return self.retries.get(connector, self.retries.get(_ALL))

    def breaker(self, connector: str) -> BreakerPolicy | None:
        """The breaker of jobs with that source connector; None if they have none."""
        return self.breakers.get(connector, self.breakers.get(_ALL))


def read_failure_defaults(document: Document, runner: Runner) -> FailureDefaults:
    """The defaults. Those of a connector win over those for all, key by key."""
    retries: dict[str, RetryPolicy] = {}
    breakers: dict[str, BreakerPolicy] = {}
    entries = {_ALL: runner, **(runner.connectors or {})}
    for name, entry in entries.items():
        place: Place = ("runner", "connectors", name) if name else ("runner",)
        for key in ("retry_config", "breaker"):
            _refuse_empty(document, (*place, key))
        if (config := entry.retry_config) is not None:
            base = retries.get(_ALL)
            retries[name] = read_retries(document, (*place, "retry_config"), config, base)
        if entry.breaker is not None:
            breakers[name] = _read_breaker(entry.breaker, breakers.get(_ALL))
    return FailureDefaults(
        run_timeout=runner.run_timeout or RUN_TIMEOUT, retries=retries, breakers=breakers
    )


def read_job_retries(
    document: Document, config: RetryConfig | None, default: RetryPolicy | None
) -> RetryPolicy | None:
    """The policy of a job whose connector has that `default`; None if it makes no retries."""
    place: Place = ("retry_config",)
    if config is not None:
        return read_retries(document, place, config, default)
    _refuse_empty(document, place)
    return default


def _refuse_empty(document: Document, place: Place) -> None:
    """Who writes the key and nothing below it means something, and nobody can know what."""
    if document.has(place) and document.value(place) is None:
        document.report(field_rules.NO_VALUE, place, on="key", field=name_place(place))


def _read_breaker(entry: BreakerEntry, base: BreakerPolicy | None) -> BreakerPolicy:
    given = {key: getattr(entry, key) for key in entry.model_fields_set}
    return replace(base or BreakerPolicy(), **given)
