import os
import re
import signal
import subprocess
import sys
from contextlib import ExitStack

import pytest

from orchestration.errors import JobAlreadyRunningError
from orchestration.runner import job_lock

HOLD = """
import sys
from pathlib import Path
from orchestration.runner import job_lock
with job_lock(Path(sys.argv[1]), "acme/orders", shared=sys.argv[2] == "shared"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold(tmp_path):
    """Starts a process that holds the lock until it is killed or its standard input ends."""
    with ExitStack() as stack:

        def start(mode):
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", HOLD, str(tmp_path), mode],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            assert process.stdout.readline() == "held\n"
            return process

        yield start


@pytest.fixture
def holder(hold):
    return hold("exclusive")


def named(error):
    """The number of the process that the message names."""
    return int(re.search(r"by process (\d+) on ", error.value.reason)[1])


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
        [record] = (tmp_path / "locks/acme/orders.lock.holders").iterdir()
        assert record.read_text().startswith(f"process {os.getpid()} on ")
    assert not record.exists()


def test_a_shared_lock_is_refused_while_the_job_is_locked_for_one_alone(tmp_path, holder):
    with (
        pytest.raises(JobAlreadyRunningError) as caught,
        job_lock(tmp_path, "acme/orders", shared=True),
    ):
        pass
    assert named(caught) == holder.pid


def test_shared_holders_bear_each_other_and_one_that_still_holds_it_is_named(tmp_path, hold):
    holders = [hold("shared") for _ in range(3)]
    holders[2].communicate()
    holders[0].kill()
    holders[0].wait()
    with pytest.raises(JobAlreadyRunningError) as caught, job_lock(tmp_path, "acme/orders"):
        pass
    assert named(caught) == holders[1].pid
    holders[1].communicate()
    with job_lock(tmp_path, "acme/orders"):
        pass


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
