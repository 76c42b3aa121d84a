"""Which fault happens at which moment, and the table of what came of it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FULL = os.environ.get("GUARANTEES_MATRIX") == "full"
PAGE = Path(__file__).parents[4] / "docs" / "reference" / "guarantees.md"
KINDS = ("command", "connector")
PROBE = "during probe"
Step = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A moment in the life of a run, in the process `role`: after these steps, before the last.

    `meaning` is for the table. Without steps it is the wait after an attempt that has failed.
    """

    meaning: str
    role: str
    steps: Mapping[str, tuple[Step, ...]]


_EXTRACT: Mapping[str, tuple[Step, ...]] = {
    "command": (("open", ".csv"),),
    "connector": (("open", ".parquet"),),
}
MOMENTS: Mapping[str, Moment] = {
    "before spawn": Moment(
        meaning="the attempt is prepared, its process not started",
        role="runner",
        steps=dict.fromkeys(KINDS, (("subprocess.Popen", "guard.py"),)),
    ),
    "during extract": Moment(meaning="the source is being read", role="command", steps=_EXTRACT),
    "between commit and checkpoint": Moment(
        meaning="the data is committed, the new checkpoint not left; a connector job is about to"
        " commit both, since there is nothing between",
        role="command",
        steps={
            "command": (("open", "checkpoint.next"),),
            "connector": (("os.rename", "/loaded/"),),
        },
    ),
    "while the checkpoint is stored": Moment(
        meaning="it is written, and does not have its name",
        role="runner",
        steps={"command": (("os.rename", ".new"),)},
    ),
    "after checkpoint": Moment(
        meaning="both are stored, the process that stored them goes on",
        role="runner after",
        steps={
            "command": (("os.rename", ".new"), ("shutil.rmtree", "attempts")),
            "connector": (("os.rename", "/loaded/"), ("shutil.rmtree", "load")),
        },
    ),
    "during back-off": Moment(
        meaning="the first attempt has failed, the second is not due", role="runner", steps={}
    ),
    PROBE: Moment(
        meaning="under `orchestrate up`, the run reads the source that a half-open breaker has let"
        " through",
        role="command",
        steps=_EXTRACT,
    ),
}
FAULTS = (
    "SIGKILL of the runner",
    "SIGKILL of the command",
    "SIGTERM to the runner",
    "SIGTERM to the command",
    "exception",
    "disk full",
    "database gone",
)
Case = tuple[str, str, str]
TABLE_BEGIN, TABLE_END = "<!-- table: make guarantees -->\n", "<!-- end of table -->"


def role_of(kind: str, moment: str) -> str:
    """Whose process is held at the moment: `runner` or `command`."""
    role = MOMENTS[moment].role
    if role == "runner after":
        return "runner" if kind == "command" else "command"
    return role


def all_cases() -> list[Case]:
    """The whole matrix: a job's kind, a moment and a fault, where there is such a moment."""
    return [
        (kind, moment, fault)
        for kind in KINDS
        for moment in MOMENTS
        for fault in FAULTS
        if not (MOMENTS[moment].steps and kind not in MOMENTS[moment].steps)
        if not ("command" in fault and role_of(kind, moment) == "runner")
    ]


def chosen_cases() -> list[Case]:
    """Of each kind some, in which each moment and each fault occurs."""
    chosen: list[Case] = []
    for kind in KINDS:
        cases = [case for case in all_cases() if case[0] == kind]
        moments = list(dict.fromkeys(moment for _, moment, _ in cases))
        for at, fault in enumerate(FAULTS):
            fitting = [case for case in cases if case[2] == fault]
            wanted = moments[at % len(moments)]
            exact = [case for case in fitting if case[1] == wanted]
            chosen.append((exact or fitting)[0])
        seen = {moment for k, moment, _ in chosen if k == kind}
        chosen += [
            (kind, moment, "SIGKILL of the runner") for moment in moments if moment not in seen
        ]
    return list(dict.fromkeys(chosen))


def render_table(cells: Mapping[Case, str]) -> str:
    """A row for each moment and a column for each fault, both kinds of jobs in a cell."""
    lines = [f"| moment | {' | '.join(FAULTS)} |", f"|---|{'---|' * len(FAULTS)}"]
    for moment, facts in MOMENTS.items():
        row = [_cell([cells.get((kind, moment, fault), "") for kind in KINDS]) for fault in FAULTS]
        lines.append(f"| **{moment}**: {facts.meaning} | {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _cell(found: list[str]) -> str:
    if not any(found):
        return "-"
    same = len(set(found)) == 1
    return found[0] if same else " / ".join(text or "-" for text in found)


def read_cells(page: Path) -> dict[Case, str]:
    """What the table of the page says; nothing before it was first written."""
    text = page.read_text(encoding="utf-8").partition(TABLE_BEGIN)[2].partition(TABLE_END)[0]
    cells: dict[Case, str] = {}
    for line in text.splitlines()[2:]:
        moment = line.split("**")[1]
        for fault, cell in zip(FAULTS, line.split("|")[2:-1], strict=True):
            parts = cell.strip().split(" / ")
            for at, kind in enumerate(KINDS):
                cells[kind, moment, fault] = parts[at if len(parts) > 1 else 0]
    return cells


def write_table(page: Path, cells: Mapping[Case, str]) -> None:
    """Put the table into its place in the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(TABLE_BEGIN)
    _, _, after = rest.partition(TABLE_END)
    text = f"{before}{TABLE_BEGIN}{render_table(cells)}{TABLE_END}{after}"
    page.write_text(text, encoding="utf-8")
