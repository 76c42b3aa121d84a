"""Which process is killed at which moment, and the table of what came of it."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

STORAGES = ("SQLite", "PostgreSQL")
MOMENTS = {
    "tick recorded": "the scheduler has recorded the tick",
    "evaluation begun": "the code server is asked what is due",
    "evaluation answered": "the scheduler has the answer, and no run yet",
    "run created": "the run exists, and is in no queue",
    "run queued": "the run is in the queue, the tick not done",
    "run dequeued": "the run has its slot, and no process",
    "worker forked": "the process of the run lives, the run has not started",
    "connector running": "the command of the job runs",
    "connector ended": "the command has ended, which nobody has recorded",
    "before success": "all steps are recorded, the success of the run is not",
    "success recorded": "the success is in the log, the run still counts as running",
    "reload": "the files are being loaded anew while a tick is due",
}
VICTIMS = ("daemon", "code server", "run server", "worker", "web server", "everything")
WITH_A_WORKER = (
    "worker forked",
    "connector running",
    "connector ended",
    "before success",
    "success recorded",
)
Pair = tuple[str, str]
CHOSEN: Mapping[str, Sequence[Sequence[Pair]]] = {
    "SQLite": (
        (
            ("tick recorded", "everything"),
            ("run created", "daemon"),
            ("connector running", "worker"),
            ("before success", "run server"),
        ),
        (
            ("evaluation answered", "daemon"),
            ("connector ended", "run server"),
            ("run dequeued", "web server"),
            ("reload", "code server"),
        ),
    ),
    "PostgreSQL": (
        (
            ("evaluation begun", "daemon"),
            ("run created", "everything"),
            ("connector running", "run server"),
            ("success recorded", "worker"),
        ),
        (
            ("evaluation answered", "code server"),
            ("run queued", "web server"),
            ("worker forked", "worker"),
            ("reload", "everything"),
        ),
    ),
}
"""The kills of each `orchestrate up`: every moment, and every process on either storage."""
_LANES = 7
TABLE_BEGIN, TABLE_END = "<!-- table: make recovery -->\n", "<!-- end of table -->"


def all_pairs() -> list[Pair]:
    """The whole matrix."""
    return [
        (moment, victim)
        for moment in MOMENTS
        for victim in VICTIMS
        if victim != "worker" or moment in WITH_A_WORKER
    ]


def all_lanes() -> list[list[Pair]]:
    """The whole matrix, such that no `up` loses the same process more often than it puts up with."""
    by_victim = [[pair for pair in all_pairs() if pair[1] == victim] for victim in VICTIMS]
    mixed = [pair for row in zip_longest(*by_victim) for pair in row if pair]
    return [mixed[lane::_LANES] for lane in range(_LANES)]


def repeats_are_allowed(moment: str, victim: str) -> bool:
    """Whether a command may have ended before the kill, and been run again: nobody could know."""
    return victim in ("run server", "everything") or (moment, victim) == (
        "connector ended",
        "worker",
    )


def render_table(cells: Mapping[tuple[str, str, str], str]) -> str:
    """A row for each moment and a column for each process, both storages in a cell."""
    lines = [
        f"| moment | {' | '.join(VICTIMS)} |",
        f"|---|{'---|' * len(VICTIMS)}",
    ]
    for moment, meaning in MOMENTS.items():
        row = [_cell([cells.get((storage, moment, v)) for storage in STORAGES]) for v in VICTIMS]
        lines.append(f"| **{moment}**: {meaning} | {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _cell(found: Sequence[str | None]) -> str:
    return " / ".join(text or "" for text in found) if any(found) else "-"


def write_table(page: Path, cells: Mapping[tuple[str, str, str], str]) -> None:
    """Put the table into its place in the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(TABLE_BEGIN)
    _, _, after = rest.partition(TABLE_END)
    text = f"{before}{TABLE_BEGIN}{render_table(cells)}{TABLE_END}{after}"
    page.write_text(text, encoding="utf-8")
