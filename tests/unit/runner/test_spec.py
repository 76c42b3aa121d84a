from datetime import timedelta
from pathlib import Path

from orchestration.runner import ProcessSpec


def test_its_repr_shows_nothing_that_may_be_secret():
    spec = ProcessSpec(
        argv=("curl", "https://x?hunter2!"),
        working_directory=Path("/srv"),
        environ={"TOKEN": "hunter2!"},
        stdin=b"hunter2!",
        timeout=timedelta(seconds=5),
        secrets=("hunter2!",),
    )
    assert repr(spec) == (
        "ProcessSpec(working_directory=PosixPath('/srv'), handover=None, "
        "timeout=datetime.timedelta(seconds=5), grace_period=datetime.timedelta(seconds=10))"
    )
