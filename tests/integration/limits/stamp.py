"""The command of every job: writes down when it began and ended, for whom, and what it saw.

It takes so many seconds, and goes on until its gate, a file, is there.
"""

import hashlib
import os
import sys
import time

record, named, seconds, gate = sys.argv[1:]
token = os.environ.get("TOKEN", "")
sys.stdout.write(f"the token is {token}\n")
handle = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def stamp(what: str) -> None:
    told, run_id = os.environ["ORCHESTRATE_JOB"], os.environ["ORCHESTRATE_RUN_ID"]
    seen = hashlib.sha256(token.encode()).hexdigest()[:12]
    os.write(handle, f"{what} {time.time_ns()} {named} {told} {run_id} {seen}\n".encode())


stamp("start")
time.sleep(float(seconds))
while not os.access(gate, os.F_OK):
    time.sleep(0.05)
stamp("end")
