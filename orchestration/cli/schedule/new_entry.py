"""From the options of `schedule add` to the fields of a schedule entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import click

from orchestration.cli.schedule.errors import UnsupportedOptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.domain.events import JsonValue

TRIGGERS: Final = (
    "cron",
    "interval_seconds",
    "after_completion_seconds",
    "continuous",
    "once",
    "on_asset",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """An option that no schedule has: `short` for the help, and what to do in its place."""

    short: str
    reason: str
    cure: str


ELSEWHERE: Final[Mapping[str, Elsewhere]] = {
    "vars": Elsewhere(
        short="Refused: variables are set in the job file or for the tenant, as `env`.",
        reason="a schedule does not set variables",
        cure="set `env` in the job file, or `env` of its tenant in runner.yaml",
    ),
    "max_retries": Elsewhere(
        short="Refused: retries are set in the job file, as `retry_config.max_retries`.",
        reason="retries belong to the job, not to its schedule",
        cure="set `retry_config: {max_retries: ...}` in the job file",
    ),
    "notify_on_failure": Elsewhere(
        short="Refused: alerts are not supported yet.",
        reason="alerts are not supported yet, so nobody would be told",
        cure="leave it out; failed runs are in Dagster's UI, and `orchestrate dev` shows them",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """What the options say. `fields` are those of the entry save `name` and `config`."""

    job: str
    name: str | None
    fields: Mapping[str, JsonValue]

    @classmethod
    def of(cls, job: str, name: str | None, options: Mapping[str, object]) -> NewEntry:
        """The entry that the options describe.

        Raises:
            click.UsageError: they do not say in exactly one way when it fires.
        """
        given = {key: _plain(value) for key, value in options.items() if _is_given(value)}
        triggers = [key for key in TRIGGERS if key in given]
        if len(triggers) != 1:
            found = " and ".join(map(_flag, triggers)) or "none"
            raise click.UsageError(
                f"give exactly one of {', '.join(map(_flag, TRIGGERS))}; there is {found}"
            )
        trigger = triggers[0]
        fields: dict[str, JsonValue] = {trigger: given[trigger]}
        fields |= {key: given[key] for key in ("timezone", "start", "end") if key in given}
        if "skip_if_running" in given:
            fields["overlap"] = "skip"
        if "concurrency" in given:
            fields["max_concurrent_runs"] = given["concurrency"]
        if "max_consecutive_errors" in given:
            fields["max_consecutive_errors"] = given["max_consecutive_errors"]
        return cls(job=job, name=name, fields=fields)


def refuse_elsewhere(options: Mapping[str, object], job: str) -> None:
    """Refuses the options that no schedule has, rather than to ignore them.

    Raises:
        UnsupportedOptionError: one of them is given.
    """
    for key, elsewhere in ELSEWHERE.items():
        if _is_given(options.get(key)):
            raise UnsupportedOptionError(
                f"`{_flag(key)}` cannot be set for the schedule of `{job}`: {elsewhere.reason}",
                help=elsewhere.cure,
            )


def _flag(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def _is_given(value: object) -> bool:
    return value not in (None, False, ())


def _plain(value: object) -> JsonValue:
    """The value as YAML has it: several expressions are a list, one is a text."""
    if isinstance(value, tuple):
        texts = list(cast("tuple[str, ...]", value))
        return texts[0] if len(texts) == 1 else cast("JsonValue", texts)
    return cast("JsonValue", value)
