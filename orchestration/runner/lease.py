"""The lease of a piece of work: a lock that is held for as long as anything of the work is left.

The process that holds it may be killed, and its guard then gives the command its grace period: the
guard holds the lease too. So whoever finds it free knows that nothing runs any more.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_held: Final[list[int]] = []


def hold(path: Path) -> None:
    """Hold the lease until this process has ended, and each guard that it starts from now on.

    Raises:
        BlockingIOError: somebody else holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    _held.append(descriptor)


def descriptors() -> tuple[int, ...]:
    """Of the leases that this process holds, for its guards to keep open."""
    return tuple(_held)


def is_held(path: Path) -> bool:
    """Whether somebody holds the lease."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
