from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestration.cli.dev.plan import Part
from orchestration.cli.dev.screen import Event
from orchestration.cli.dev.services import Service
from orchestration.cli.errors import ServiceDiedError
from orchestration.cli.up.supervisor import Supervisor


@dataclass
class FakeProcess:
    """Runs until it is told how it ended."""

    name: str
    log: Path = Path("/srv/logs/x.log")
    ending: str | None = None
    deeds: list = field(default_factory=list)

    def ended(self):
        return self.ending

    def stop(self):
        self.deeds.append("stop")
        self.ending = "exit code 0"

    def kill(self):
        self.deeds.append("kill")
        self.ending = "killed by signal 9"

    def abandon(self):
        self.deeds.append("abandon")

    def tail(self, _lines=20):
        return "the last line"


class Bench:
    """A supervisor of parts that say what they are told to, at a time that stands still."""

    def __init__(self, *names):
        self.now = 0.0
        self.blocked = set()
        self.defunct = set()
        self.started = []
        self.told = []
        self.supervisor = Supervisor(
            [self._part(name) for name in names],
            spawn=self._spawn,
            tell=self.told.append,
            clock=lambda: self.now,
        )

    def process(self, name):
        """The latest process of that name."""
        return [process for process in self.started if process.name == name][-1]

    def step(self, seconds=0.0):
        self.now += seconds
        self.supervisor.step()

    def starts(self, name):
        return sum(process.name == name for process in self.started)

    def _part(self, name):
        return Part(
            service=Service(name=name, argv=(name,), working_directory=Path("/srv")),
            may_start=lambda: name not in self.blocked,
            is_defunct=lambda: name in self.defunct,
        )

    def _spawn(self, service):
        process = FakeProcess(service.name)
        self.started.append(process)
        return process


@pytest.fixture
def bench():
    return Bench("webserver", "code-server", "daemon")


def test_each_part_starts_as_soon_as_it_may(bench):
    bench.blocked = {"code-server", "daemon"}
    bench.step()
    first = [process.name for process in bench.started]
    bench.blocked = {"daemon"}
    bench.step()
    halfway = bench.supervisor.is_complete
    bench.blocked = set()
    bench.step()

    assert first == ["webserver"]
    assert [process.name for process in bench.started] == ["webserver", "code-server", "daemon"]
    assert (halfway, bench.supervisor.is_complete) == (False, True)
    assert bench.told == [
        Event(kind="started", text="webserver"),
        Event(kind="started", text="code-server"),
        Event(kind="started", text="daemon"),
    ]


def test_a_process_that_has_ended_starts_again_after_a_second_and_the_others_go_on(bench):
    bench.step()
    bench.process("daemon").ending = "killed by signal 9"
    bench.step()
    told = bench.told[-1]
    bench.step(0.9)
    before = bench.starts("daemon")
    bench.step(0.1)

    assert told == Event(
        kind="ended",
        text="daemon (killed by signal 9); it starts again in 1s; its log ends with: the last line",
    )
    assert (before, bench.starts("daemon"), bench.starts("webserver")) == (1, 2, 1)


def test_a_daemon_whose_code_server_has_died_too_waits_for_it(bench):
    bench.step()
    for name in ("code-server", "daemon"):
        bench.process(name).ending = "killed by signal 9"
    bench.blocked = {"daemon"}
    bench.step()
    bench.step(60)
    before = bench.starts("daemon")
    bench.blocked = set()
    bench.step()

    assert (bench.starts("code-server"), before, bench.starts("daemon")) == (2, 1, 2)


def test_the_sixth_death_is_an_error_with_the_end_of_the_log(bench):
    bench.step()
    for _ in range(5):
        bench.process("daemon").ending = "exit code 1"
        bench.step()
        bench.step(16)
    bench.process("daemon").ending = "exit code 1"

    with pytest.raises(ServiceDiedError) as caught:
        bench.step()
    assert caught.value.reason == (
        "the process `daemon` ended 6 times within 10m (the last time: exit code 1), so everything"
        " was stopped"
    )
    assert caught.value.help == "its log is /srv/logs/x.log; it ends with\n\nthe last line"
    assert bench.starts("daemon") == 6


def test_a_process_that_lives_and_does_not_work_is_killed_at_the_third_look(bench):
    bench.step()
    bench.defunct = {"code-server"}
    for _ in range(2):
        bench.step(5)
    spared = tuple(bench.process("code-server").deeds)
    bench.step(5)

    assert (spared, bench.process("code-server").deeds) == ((), ["kill"])
    bench.step()
    bench.step(1)
    assert bench.starts("code-server") == 2


def test_a_process_that_has_not_worked_yet_is_given_time(bench):
    bench.defunct = {"code-server"}
    for _ in range(20):
        bench.step(5)

    assert bench.process("code-server").deeds == []


def test_one_part_can_be_stopped_for_good_before_the_rest(bench):
    bench.step()
    left = bench.supervisor.stop(["daemon"], hurry=lambda: False)
    bench.step(100)
    rest = bench.supervisor.stop(hurry=lambda: False)

    assert (left, rest, bench.starts("daemon")) == ([], [], 1)
    assert all(process.deeds == ["stop"] for process in bench.started)


def test_what_has_started_once_counts_as_started_though_it_has_died(bench):
    bench.blocked = {"daemon"}
    bench.step()
    bench.process("webserver").ending = "exit code 1"
    bench.step()

    started = [bench.supervisor.has_started(name) for name in ("webserver", "daemon")]
    assert started == [True, False]
