from dataclasses import replace

from orchestration.cli.dev.background import watch_runs
from orchestration.cli.dev.screen import Event
from orchestration.cli.dev.ui import FinishedRun, UiUnreachableError

URL = "http://localhost:3000"
FIRST = FinishedRun(run_id="r1", subject="acme/orders", outcome="succeeded", updated_at=2e9)
SECOND = replace(FIRST, run_id="r2", subject="globex/orders", updated_at=2e9 + 1)


class FakeUi:
    """Answers each question about runs with the next of its answers; None is no answer."""

    def __init__(self, *answers):
        self.since = []
        self.answers = list(answers)

    def finished_runs(self, since):
        self.since.append(since)
        answer = self.answers.pop(0)
        if answer is None:
            raise UiUnreachableError("busy")
        return answer


class UntilAnswered:
    """A stop that comes when the UI has no more answers, and waits for nothing."""

    def __init__(self, ui):
        self._ui = ui

    def wait(self, _timeout):
        return not self._ui.answers


def test_each_run_that_ends_is_told_once_also_when_the_ui_is_busy():
    ui = FakeUi([], [FIRST], None, [FIRST, SECOND], [SECOND])

    events = list(watch_runs(ui, URL, UntilAnswered(ui)))

    assert events == [
        Event(kind="succeeded", text="acme/orders"),
        Event(kind="succeeded", text="globex/orders"),
    ]
    assert ui.since[2:] == [2e9, 2e9, 2e9 + 1]
