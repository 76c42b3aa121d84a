"""Which dead letters a command is for: the options that all of `orchestrate dlq` takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orchestration.cli.run import complete_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.domain.records import LetterFilter

_F = TypeVar("_F", bound="Callable[..., Any]")
_OTHER_NAMES = {"sink_write": "validate"}
"""How other products call the last stage in which a single record can be refused."""


class Given(click.types.StringParamType):
    """A text that is not empty: `"$ID"` of a variable that is not set must not mean everything."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text."""
        text = super().convert(value, param, ctx)
        if not text.strip():
            self.fail("it is empty, and would mean all", param, ctx)
        return text


class _Stage(click.Choice[str]):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The stage, also by another name."""
        return super().convert(_OTHER_NAMES.get(value, value), param, ctx)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the options say. Of no jobs and no tenant, all jobs are meant."""

    jobs: tuple[str, ...]
    tenant: str | None
    run: str | None
    stage: str | None
    limit: int | None = None
    letter: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing is said but, at most, how many."""
        return not (self.letter or self.jobs or self.tenant or self.run or self.stage)

    @property
    def wanted(self) -> LetterFilter:
        """The letters that are meant, of each job."""
        from orchestration.domain.records import LetterFilter, Stage

        stage = Stage(self.stage) if self.stage else None
        letter, run = self.letter or "", self.run or ""
        return LetterFilter(id=letter, run=run, stage=stage, limit=self.limit)


def letter_argument(command: _F) -> _F:
    """Adds `[LETTER]`."""
    return click.argument("letter", type=Given(), required=False)(command)


def selection_options(command: _F) -> _F:
    """Adds `--job`, `--tenant`, `--run` and `--stage`."""
    options = (
        click.option(
            "--job",
            "jobs",
            metavar="JOB",
            type=Given(),
            multiple=True,
            shell_complete=complete_job,
            help="Only letters of this job, tenant/name or a job file; may be repeated.",
        ),
        click.option(
            "--tenant", metavar="NAME", type=Given(), help="Only letters of this tenant's jobs."
        ),
        click.option(
            "--run",
            metavar="ID",
            type=Given(),
            help="Only letters that this run has rejected last; the beginning of its id is enough.",
        ),
        click.option(
            "--stage",
            type=_Stage(["read", "validate"]),
            help="Only records that could not be read, or only those that broke the definition, for"
            " which `sink_write` is another name.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command
