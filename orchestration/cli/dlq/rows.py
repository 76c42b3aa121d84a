"""How dead letters are told: one row for people, one object for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from orchestration.connectors.dead_letters import Letter

SHORT_ID = 12


class LetterRow(TypedDict):
    """One dead letter as scripts read it; keys and order are an interface. `position` is a line of
    `file`, or without a file the number of the record. The instants are in ISO 8601.
    """

    id: str
    job: str
    stage: str
    reason: str
    file: str | None
    position: int | None
    failures: int
    first_seen: str
    last_seen: str
    run_id: str
    attempt: int
    truncated: bool


def letter_row(job_id: str, letter: Letter) -> LetterRow:
    """The letter as scripts read it."""
    return {
        "id": letter.id,
        "job": job_id,
        "stage": letter.stage.value,
        "reason": letter.reason,
        "file": letter.file,
        "position": letter.position,
        "failures": letter.failures,
        "first_seen": letter.first_seen.isoformat(),
        "last_seen": letter.last_seen.isoformat(),
        "run_id": letter.run_id,
        "attempt": letter.attempt,
        "truncated": letter.truncated,
    }


def where(letter: Letter) -> str:
    """`data/a.csv:3`, or `record 17`."""
    return f"{letter.file}:{letter.position}" if letter.file else f"record {letter.position}"
