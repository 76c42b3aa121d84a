from threading import Event

from orchestration.cli.dev.files import changed_paths, watch

OLD = {"runner.yaml": (1, 10, 100), "jobs/a.yaml": (1, 20, 101)}


class Looks:
    """What is seen at each look; after the last one the watch is stopped."""

    def __init__(self, stop, *snapshots):
        self._stop = stop
        self._rest = list(snapshots)

    def __call__(self):
        seen = self._rest.pop(0)
        if not self._rest:
            self._stop.set()
        return seen


class Stop(Event):
    """A stop that waits for nothing."""

    def wait(self, timeout=None):  # noqa: ARG002 - the base has it
        return self.is_set()


def changes(*snapshots):
    stop = Stop()
    return list(watch(Looks(stop, *snapshots), before=OLD, stop=stop))


def test_added_changed_renamed_and_deleted_files_are_changes():
    new = {"runner.yaml": (1, 10, 999), "jobs/b.yaml": (1, 20, 101)}

    assert changed_paths(OLD, new) == ["jobs/a.yaml", "jobs/b.yaml", "runner.yaml"]
    assert changed_paths(OLD, OLD) == []


def test_nothing_is_told_while_nothing_changes():
    assert changes(OLD, OLD, OLD) == []


def test_a_change_is_told_once_when_the_files_rest():
    half, whole = {**OLD, "runner.yaml": (2, 5, 100)}, {**OLD, "runner.yaml": (3, 11, 100)}

    assert changes(OLD, half, whole, whole, whole, whole) == [["runner.yaml"]]


def test_a_change_that_is_taken_back_at_once_is_none():
    touched = {**OLD, "runner.yaml": (2, 10, 100)}

    assert changes(touched, OLD, OLD, OLD) == []


def test_two_changes_apart_are_told_apart():
    first = {**OLD, "runner.yaml": (2, 10, 100)}
    second = {**first, "jobs/b.yaml": (3, 1, 102)}

    assert changes(first, first, first, second, second, second) == [
        ["runner.yaml"],
        ["jobs/b.yaml"],
    ]


def test_looking_takes_a_small_share_of_the_time_however_long_it_takes():
    waits = []

    class Recorded(Stop):
        def wait(self, timeout=None):
            waits.append(timeout)
            return self.is_set()

    stop = Recorded()
    times = iter([0.0, 0.001, 1.0, 1.1, 9.0, 9.0])
    list(watch(Looks(stop, OLD, OLD, OLD), before=OLD, stop=stop, clock=lambda: next(times)))

    assert [round(wait, 3) for wait in waits] == [0.5, 0.5, 5.0, 0.5]
