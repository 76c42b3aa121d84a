import base64
from urllib.parse import quote

import pytest

from orchestration.domain.events import ConnectorEvent
from orchestration.errors import CommandNotFoundError
from orchestration.runner import Stream

SECRET = "hunter2!/+ü?x\"y'z"
FORMS = {
    "plain": SECRET,
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "basic authentication": base64.b64encode(f"ada:{SECRET}".encode()).decode()[6:-3],
    "url": quote(SECRET, safe=""),
    "json": SECRET.replace('"', '\\"'),
}
LEAKS = [*FORMS.values(), "hunter2"]


def everything_told(attempt, result) -> str:
    return repr((attempt.lines, attempt.events, result))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("fd", [1, 2])
def test_a_secret_never_leaves_the_runner_in_any_form(attempt, form: str, fd: int):
    code = "import os, sys; os.write(int(sys.argv[1]), f'<{sys.argv[2]}>\\n'.encode())"
    result = attempt.run_python(code, str(fd), form, secrets=(SECRET,))
    stream = Stream.STDOUT if fd == 1 else Stream.STDERR
    [(where, line)] = attempt.lines
    assert where is stream
    assert "***" in line
    assert not any(leak in everything_told(attempt, result) for leak in LEAKS)


def test_a_secret_that_is_written_in_pieces_is_masked(attempt):
    code = """
import os, sys, time
text = ("x" * 40 + sys.argv[1] + "\\n").encode()
for at in range(0, len(text), 3):
    os.write(1, text[at:at + 3])
    os.write(2, text[at:at + 3])
    time.sleep(0.002)
"""
    result = attempt.run_python(code, SECRET, secrets=(SECRET,))
    assert sorted(attempt.lines) == [
        (Stream.STDERR, "x" * 40 + "***"),
        (Stream.STDOUT, "x" * 40 + "***"),
    ]
    assert result.stderr_tail == "x" * 40 + "***"


@pytest.mark.parametrize("offset", range(-20, 4))
def test_a_secret_across_the_border_of_a_read_is_masked(attempt, offset: int):
    code = "import os, sys; os.write(2, b'x' * int(sys.argv[1]) + sys.argv[2].encode() + b'\\n')"
    size = 64 * 1024 + offset
    result = attempt.run_python(code, str(size), SECRET, secrets=(SECRET,))
    assert attempt.lines == [(Stream.STDERR, "x" * size + "***")]
    assert "hunter2" not in result.stderr_tail


def test_a_secret_in_a_line_without_end_is_masked(attempt):
    code = "import os, sys; [os.write(1, b'x' * 999 + sys.argv[1].encode()) for _ in range(4000)]"
    attempt.run_python(code, SECRET, secrets=(SECRET,))
    text = "".join(line for _, line in attempt.lines)
    assert text == ("x" * 999 + "***") * 4000
    assert len(attempt.lines) == 4


def test_a_secret_is_masked_in_events_metrics_and_errors(attempt):
    code = """
import json, sys
for event in (
    {"event_type": "metrics_error", "message": "no access with " + sys.argv[1]},
    {"event_type": "metrics_complete", "job_name": sys.argv[1], "rows": 12345678},
):
    print(json.dumps(event))
"""
    result = attempt.run_python(code, SECRET, secrets=(SECRET, "12345678"))
    assert attempt.events == [
        ConnectorEvent(event_type="metrics_error", fields={"message": "no access with ***"}),
        ConnectorEvent(event_type="metrics_complete", fields={"job_name": "***", "rows": "***"}),
    ]
    assert result.error_text == "no access with ***"
    assert result.metrics == {"job_name": "***", "rows": "***"}


def test_a_secret_is_masked_in_the_error_about_a_program(attempt):
    with pytest.raises(CommandNotFoundError) as caught:
        attempt.run(f"/opt/{SECRET}", secrets=(SECRET,))
    assert caught.value.reason == (
        "the program `/opt/***` cannot be started: no such file or directory"
    )
