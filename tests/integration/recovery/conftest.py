"""Kills processes of several running `orchestrate up`, side by side, before the tests judge them.

With RECOVERY_MATRIX=full each process is killed at each moment, and the table in the documentation
is written anew; else a choice of them is, in which every process and every moment occurs.
"""

import math
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pytest
from recovery_checker import Violation, check
from recovery_matrix import (
    CHOSEN,
    STORAGES,
    all_lanes,
    render_table,
    repeats_are_allowed,
    write_table,
)
from recovery_system import Kill, System, run_lane

FULL = os.environ.get("RECOVERY_MATRIX") == "full"
LANES = {storage: all_lanes() if FULL else CHOSEN[storage] for storage in STORAGES}
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "recovery.md"
AT_ONCE = 5
_SECONDS_TO_NOTICE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a kill: `violations` are those up to the time when all was well again."""

    kill: Kill
    violations: tuple[Violation, ...]


Results = dict[tuple[str, str, str], Result | BaseException]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "outcome" in metafunc.fixturenames:
        cases = [
            (storage, *pair) for storage in STORAGES for lane in LANES[storage] for pair in lane
        ]
        metafunc.parametrize("outcome", cases, indirect=True, ids=" - ".join)


@pytest.fixture(scope="session")
def results(request, tmp_path_factory) -> Results:
    """What came of the kills that tests of this session are about."""
    chosen = {item.callspec.params["outcome"] for item in request.session.items if _is_case(item)}
    lanes = [
        (storage, kills)
        for lanes in zip_longest(*LANES.values())
        for storage, lane in zip(LANES, lanes, strict=True)
        if (kills := [pair for pair in lane or () if (storage, *pair) in chosen])
    ]
    found: Results = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        work = []
        for storage, kills in lanes:
            database = None
            if storage == "PostgreSQL":
                database = request.getfixturevalue("postgres_url")()
            system = System(root=tmp_path_factory.mktemp(storage), database=database)
            work.append((storage, kills, pool.submit(run_lane, system, kills)))
        for storage, kills, future in work:
            found |= dict(_judge(storage, kills, future))
    cells = {key: _cell(result) for key, result in found.items()}
    (tmp_path_factory.getbasetemp() / "cells").write_text(render_table(cells))
    if FULL and len(found) == sum(len(lane) for lanes in LANES.values() for lane in lanes):
        write_table(PAGE, cells)
    return found


def _is_case(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and "outcome" in item.fixturenames


def _judge(storage, lane, future: Future) -> Iterator[tuple[tuple[str, str, str], object]]:
    error = future.exception()
    if error is not None:
        yield from (((storage, *pair), error) for pair in lane)
        return
    kills, log = future.result()
    left = check(log)
    assert sum(map(len, log.ticks.values())) >= len(kills)
    for kill, following in zip_longest(kills, kills[1:]):
        until = min(kill.settled + _SECONDS_TO_NOTICE, following.at) if following else math.inf
        own = tuple(violation for violation in left if violation.at <= until)
        left = [violation for violation in left if violation not in own]
        yield (storage, kill.moment, kill.victim), Result(kill=kill, violations=own)


def _cell(result: Result | BaseException) -> str:
    if isinstance(result, BaseException):
        return "not measured"
    kill = result.kill
    found = sorted({violation.kind for violation in result.violations})
    if found == ["repeated"] and repeats_are_allowed(kill.moment, kill.victim):
        found = ["again"]
    return ", ".join([f"{kill.settled - kill.at:.0f} s", *found])


@pytest.fixture
def outcome(request, results) -> Result:
    """The result of the kill that the test is about."""
    found = results[request.param]
    if isinstance(found, BaseException):
        raise found
    return found
