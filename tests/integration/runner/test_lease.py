"""Leases, with real processes that hold them."""

import subprocess
import sys

import pytest

from orchestration.runner.lease import is_held

HOLD = """
import sys
from pathlib import Path
from orchestration.runner.lease import descriptors, hold
for path in sys.argv[1:]:
    hold(Path(path))
print(len(descriptors()), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hold():
    """Starts a process that holds the leases, and waits until it does."""
    started = []

    def begin(*paths):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, *paths],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, process.stdout.readline()

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_a_lease_is_held_until_its_process_has_ended(tmp_path, hold):
    leases = [tmp_path / "runs" / tenant for tenant in ("acme", "globex", "initech")]
    process, count = hold(*leases[:2])

    assert count == "2\n"
    assert [is_held(lease) for lease in leases] == [True, True, False]
    process.kill()
    process.wait()
    assert [is_held(lease) for lease in leases] == [False, False, False]


def test_looking_at_a_lease_does_not_make_one(tmp_path):
    assert not is_held(tmp_path / "acme")
    assert list(tmp_path.iterdir()) == []


def test_a_lease_that_somebody_holds_cannot_be_had(tmp_path, hold):
    hold(tmp_path / "acme")
    process, count = hold(tmp_path / "acme")

    assert count == ""
    assert process.communicate()[1].splitlines()[-1].startswith("BlockingIOError")
