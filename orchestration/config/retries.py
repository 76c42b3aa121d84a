"""From `retry_config` to a retry policy (004-02, and its old spellings)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from orchestration.config import field_rules
from orchestration.config.checks import check_patterns
from orchestration.domain.retry import RetryPolicy

if TYPE_CHECKING:
    from orchestration.config.document import Document
    from orchestration.config.job_file import RetryConfig

_KEY = "retry_config"
_OLD_SPELLINGS = {
    "retry_delay_seconds": "initial_delay_seconds",
    "retryable_errors": "retryable_error_patterns",
}


def read_retries(document: Document, config: RetryConfig) -> RetryPolicy:
    """The policy that `retry_config` describes; what is left out has the defaults of 004-02."""
    given = config.model_fields_set
    for old, new in _OLD_SPELLINGS.items():
        if old in given and new in given:
            document.report(field_rules.TWO_SPELLINGS, (_KEY, old), on="key", old=old, new=new)
    old_delay = "retry_delay_seconds" in given
    initial = config.retry_delay_seconds if old_delay else config.initial_delay_seconds
    patterns_key = "retryable_errors" if "retryable_errors" in given else "retryable_error_patterns"
    patterns: list[str] = getattr(config, patterns_key) or []
    check_patterns(document, (_KEY, patterns_key), patterns)
    if initial > config.max_delay_seconds:
        _report_long_delay(document, initial, config.max_delay_seconds)
    return RetryPolicy(
        max_retries=config.max_retries,
        initial_delay=timedelta(seconds=initial),
        max_delay=timedelta(seconds=config.max_delay_seconds),
        backoff_multiplier=config.backoff_multiplier,
        retryable_exit_codes=frozenset(config.retryable_exit_codes),
        retryable_error_patterns=tuple(patterns),
    )


def _report_long_delay(document: Document, initial: float, longest: float) -> None:
    keys = ("max_delay_seconds", *_OLD_SPELLINGS, *_OLD_SPELLINGS.values())
    key = next((key for key in keys if document.has((_KEY, key))), "")
    document.report(
        field_rules.DELAY_ABOVE_LIMIT, (_KEY, key), initial=f"{initial:g}", longest=f"{longest:g}"
    )
