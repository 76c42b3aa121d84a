"""The command of every job: writes down when it began and ended, and that it is alive in between.

When it is told to stop, it takes its time.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

record, moments, tenant, seconds, seconds_to_stop = sys.argv[1:]
run_id = os.environ["ORCHESTRATE_RUN_ID"]
assert os.environ["ORCHESTRATE_TENANT"] == tenant
handle = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
BEAT_SECONDS = 0.05


def stamp(what: str) -> None:
    os.write(handle, f"{what} {time.time():.6f} {tenant} {run_id} {os.getpid()}\n".encode())


def live(until: float) -> None:
    while time.monotonic() < until:
        stamp("alive")
        time.sleep(BEAT_SECONDS)


def stop(_number: int, _frame: object) -> None:
    live(time.monotonic() + float(seconds_to_stop))
    stamp("stopped")
    os._exit(143)


signal.signal(signal.SIGTERM, stop)
stamp("start")
reached = Path(moments, "reached")
with suppress(FileNotFoundError):
    Path(moments, "connector running").rename(reached)
    Path(moments, "holder").write_text(str(os.getpid()))
    while reached.exists():
        live(time.monotonic() + BEAT_SECONDS)
live(time.monotonic() + float(seconds))
stamp("end")
