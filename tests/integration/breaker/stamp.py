"""The command of every job: writes down when it ran and for whom, and fails while its file is there."""

import os
import sys
import time

record, named, obstacle = sys.argv[1:]
told, run_id = os.environ["ORCHESTRATE_JOB"], os.environ["ORCHESTRATE_RUN_ID"]
fails = os.access(obstacle, os.F_OK)
handle = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
outcome = "failed" if fails else "succeeded"
os.write(handle, f"{time.time_ns()} {named} {told} {run_id} {outcome}\n".encode())
sys.exit(2 if fails else 0)
