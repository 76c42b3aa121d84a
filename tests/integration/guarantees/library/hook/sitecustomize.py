"""Holds a process at a moment that a test has named, until the test lets it go on.

The moment is a list of steps, each an audit event of Python and a part of its arguments. When the last
one is about to happen the process writes its number down and waits; only one does so.
"""

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

CONTROL, ROLE = os.environ.get("GUARANTEES_CONTROL"), os.environ.get("GUARANTEES_ROLE")


def watch(control: Path, role: str) -> None:
    try:
        steps = json.loads((control / f"{role}.json").read_text())
    except FileNotFoundError:
        return

    def step(event: str, details: tuple[object, ...]) -> None:
        if steps and event == steps[0][0] and steps[0][1] in str(details):
            del steps[0]
            if not steps:
                hold(control)

    sys.addaudithook(step)


def hold(control: Path) -> None:
    mine = control / f"{os.getpid()}.pid"
    mine.write_text(str(os.getpid()))
    try:
        os.link(mine, control / "held")
    except FileExistsError:
        return
    answer = ""
    while not answer:
        time.sleep(0.01)
        with suppress(FileNotFoundError):
            answer = (control / "go").read_text()
    if answer == "raise":
        raise RuntimeError("injected by a test")


if CONTROL and ROLE:
    watch(Path(CONTROL), ROLE)
