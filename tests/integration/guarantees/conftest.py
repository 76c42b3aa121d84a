"""Systems on disks of their own, and what came of the faults."""

import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
from guarantees_matrix import FULL, PAGE, all_cases, chosen_cases, read_cells, write_table
from guarantees_system import Disk, ForbiddenDisk, SmallDisk, System

_DISK_SIZE = "64m"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        cases = all_cases() if FULL else chosen_cases()
        metafunc.parametrize("case", cases, ids=" - ".join)


@pytest.fixture(scope="session")
def systems(tmp_path_factory):
    """Gives the system of a kind of job; what it has done so far stays."""
    folder = tmp_path_factory.mktemp("guarantees")
    made: dict[str, System] = {}
    with ExitStack() as mounted:

        def find(kind: str) -> System:
            if kind not in made:
                root, control = folder / kind, folder / f"{kind}-control"
                root.mkdir()
                control.mkdir()
                disk = make_disk(root, mounted)
                made[kind] = System(root=root, control=control, kind=kind, disk=disk)
                made[kind].write()
            return made[kind]

        yield find


def make_disk(root: Path, mounted: ExitStack) -> Disk:
    """A small one where the system lets us mount it, until the end of `mounted`."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_SIZE}", "none", str(root)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        return ForbiddenDisk()
    mounted.callback(subprocess.run, ["umount", str(root)], check=True)
    return SmallDisk(root)


@pytest.fixture(scope="session")
def cells():
    """What came of each case, for the table; with the whole matrix it is written, and what was not
    run stays as it is.
    """
    found: dict[tuple[str, str, str], str] = {}
    yield found
    if FULL:
        write_table(PAGE, read_cells(PAGE) | found)
