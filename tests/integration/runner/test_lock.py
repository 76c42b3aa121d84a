import os
import re
import signal
import subprocess
import sys

import pytest

from orchestration.errors import JobAlreadyRunningError
from orchestration.runner import job_lock

HOLD = """
import sys
from pathlib import Path
from orchestration.runner import job_lock
with job_lock(Path(sys.argv[1]), "acme/orders"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    argv = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_job_that_another_process_runs_is_refused_and_the_holder_is_named(tmp_path, holder):
    with pytest.raises(JobAlreadyRunningError) as caught, job_lock(tmp_path, "acme/orders"):
        pass
    assert re.fullmatch(
        rf"the job `acme/orders` is already running, by process {holder.pid} on \S+ since "
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00",
        caught.value.reason,
    )
    assert caught.value.help == (
        "wait until it has ended, or stop it; the lock is held on "
        f"`{tmp_path}/locks/acme/orders.lock`"
    )


def test_the_lock_is_free_once_its_holder_is_killed(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with job_lock(tmp_path, "acme/orders"):
        text = (tmp_path / "locks/acme/orders.lock").read_text()
    assert text.startswith(f"process {os.getpid()} on ")
    assert text.count("process") == 1


def test_the_lock_is_free_after_its_block(tmp_path):
    for _ in range(2):
        with job_lock(tmp_path, "acme/orders"):
            pass


def test_jobs_do_not_lock_each_other(tmp_path, holder):
    with job_lock(tmp_path, "acme/customers"), job_lock(tmp_path, "globex/orders"):
        pass


def test_the_lock_does_not_live_on_in_a_process_of_the_job(tmp_path, attempt, marker):
    with job_lock(tmp_path, "acme/orders"):
        attempt.run_python("import os; print(len(os.listdir('/proc/self/fd')))")
    assert [line for _, line in attempt.lines] == ["4"]
    with job_lock(tmp_path, "acme/orders"):
        pass
