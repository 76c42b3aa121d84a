"""From `retry_config` to a retry policy (004-02, and its old spellings)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from signal import SIGINT, SIGTERM, Signals
from typing import TYPE_CHECKING, Any

from orchestration.config import field_rules
from orchestration.config.checks import check_patterns
from orchestration.config.entries import check_unique, names_in
from orchestration.config.words import show
from orchestration.domain.backoff import Jitter
from orchestration.domain.retry import Disposition, ErrorClass, RetryBudget, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestration.config.document import Document, Place
    from orchestration.config.policy_file import BudgetEntry, ErrorClassEntry, RetryConfig

_DEFAULT = RetryPolicy(max_retries=3)
_OLD_SPELLINGS = {
    "retry_delay_seconds": "initial_delay_seconds",
    "retryable_errors": "retryable_error_patterns",
}
_PATTERNS = ("retryable_error_patterns", "retryable_errors", "non_retryable_error_patterns")
_CANCELLED = frozenset({128 + SIGINT, 128 + SIGTERM})


def read_retries(
    document: Document, place: Place, config: RetryConfig, base: RetryPolicy | None
) -> RetryPolicy:
    """The policy that the `retry_config` at `place` describes. What it leaves out is as in `base`,
    and without one as 004-02 has it.
    """
    given = config.model_fields_set
    for old, new in _OLD_SPELLINGS.items():
        if old in given and new in given:
            document.report(field_rules.TWO_SPELLINGS, (*place, old), on="key", old=old, new=new)
    for key in _PATTERNS:
        check_patterns(document, (*place, key), getattr(config, key) or [])
    _check_codes(document, (*place, "retryable_exit_codes"), config.retryable_exit_codes)
    _check_classes(document, (*place, "error_classes"), config.error_classes or [])
    changes = {
        field: read(getattr(config, key)) for key, (field, read) in _READERS.items() if key in given
    }
    policy = replace(base or _DEFAULT, **changes)
    if "retryable_exit_codes" in given and not _repeats(policy):
        document.report(field_rules.NEVER_REPEATED, (*place, "retryable_exit_codes"), on="key")
    if policy.initial_delay > policy.max_delay:
        _report_long_delay(document, place, policy)
    return policy


def _repeats(policy: RetryPolicy) -> bool:
    return bool(
        policy.retryable_exit_codes
        or policy.retry_on_signal
        or policy.retry_on_timeout
        or any(known.disposition is Disposition.TRANSIENT for known in policy.error_classes)
    )


def _seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


def _texts(value: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(value or ())


def _signals(names: Sequence[str]) -> frozenset[int]:
    return frozenset(int(Signals[name]) for name in names)


def _classes(entries: Sequence[ErrorClassEntry] | None) -> tuple[ErrorClass, ...]:
    return tuple(
        ErrorClass(
            name=entry.name,
            disposition=Disposition(entry.disposition),
            exit_codes=frozenset(entry.exit_codes or ()),
            patterns=tuple(entry.patterns or ()),
        )
        for entry in entries or ()
    )


def _budget(entry: BudgetEntry | None) -> RetryBudget | None:
    return None if entry is None else RetryBudget(retries=entry.retries, per=entry.per)


_READERS: Mapping[str, tuple[str, Callable[[Any], object]]] = {
    "max_retries": ("max_retries", int),
    "initial_delay_seconds": ("initial_delay", _seconds),
    "retry_delay_seconds": ("initial_delay", _seconds),
    "max_delay_seconds": ("max_delay", _seconds),
    "backoff_multiplier": ("backoff_multiplier", float),
    "jitter": ("jitter", Jitter),
    "retryable_exit_codes": ("retryable_exit_codes", frozenset),
    "retryable_error_patterns": ("retryable_error_patterns", _texts),
    "retryable_errors": ("retryable_error_patterns", _texts),
    "non_retryable_error_patterns": ("non_retryable_error_patterns", _texts),
    "retry_on_signal": ("retry_on_signal", _signals),
    "retry_on_timeout": ("retry_on_timeout", bool),
    "error_classes": ("error_classes", _classes),
    "budget": ("budget", _budget),
}
"""Which field of the policy each key gives, and how."""


def _check_codes(document: Document, place: Place, codes: Sequence[int]) -> None:
    for index, code in enumerate(codes):
        if code in _CANCELLED:
            document.report(field_rules.CANCELLED, (*place, index), end=f"exit code {code}")


def _check_classes(document: Document, place: Place, entries: Sequence[ErrorClassEntry]) -> None:
    check_unique(document, "error class", names_in(document, place))
    for index, entry in enumerate(entries):
        inside: Place = (*place, index)
        if not (entry.exit_codes or entry.patterns):
            document.report(field_rules.EMPTY_CLASS, inside, name=show(entry.name))
        _check_codes(document, (*inside, "exit_codes"), entry.exit_codes or ())
        check_patterns(document, (*inside, "patterns"), entry.patterns or [])


def _report_long_delay(document: Document, place: Place, policy: RetryPolicy) -> None:
    """At the key that this file gives; if both are inherited, it has been reported where they are."""
    keys = ("max_delay_seconds", "retry_delay_seconds", "initial_delay_seconds")
    key = next((key for key in keys if document.has((*place, key))), None)
    if key is not None:
        document.report(
            field_rules.DELAY_ABOVE_LIMIT,
            (*place, key),
            initial=f"{policy.initial_delay.total_seconds():g}",
            longest=f"{policy.max_delay.total_seconds():g}",
        )
