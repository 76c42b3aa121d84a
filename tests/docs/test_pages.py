"""Runs what README and docs say: each page in order, as a reader would type it.

How a page is written:
- A `console` block holds commands after `$ ` and, below each, what it prints; a line `...` stands
  for any lines, `...` inside a line for any text of it. A command must succeed, unless the next one
  is `echo $?`, which shows the reader how it failed.
- A block whose fence says `title="path"` is a file that the reader writes there.
- A block whose fence says `excerpt="path"` shows consecutive lines of a file of this repository.
- `<!-- starts in: an empty folder -->` at the top: the page begins with nothing. Otherwise it
  begins in a copy of this repository.
- A command that starts the UI goes on until the end of the page, on a free port in place of 3000.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
STARTS_UI = ("make dev", "orchestrate dev")
RECURSIVE = ("make test", "make check", "make bench", ".ci/run")
_FENCE = re.compile(r"^```(\w+)?(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".orchestrate", "__pycache__", ".*_cache")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    language: str
    attributes: dict[str, str]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    text: str
    expected: str


@dataclass(slots=True, kw_only=True)
class Reader:
    """Somebody who follows a page in `folder`. `ports` maps the UI's port to the real one."""

    folder: Path
    environ: dict[str, str]
    stack: ExitStack
    port: int | None = field(default=None)

    def follow(self, block: Block) -> None:
        if path := block.attributes.get("title"):
            self.write(path, block.text)
        elif path := block.attributes.get("excerpt"):
            assert block.text in (ROOT / path).read_text(), f"{path} does not hold these lines"
        elif block.language == "console":
            self.type(parse_commands(block.text))

    def write(self, path: str, text: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def type(self, commands: list[Command]) -> None:
        status = 0
        for index, command in enumerate(commands):
            if command.text.startswith(STARTS_UI):
                self.start_ui(command)
                continue
            status = self.run(command, status)
            shown = commands[index + 1 : index + 2] and commands[index + 1].text == "echo $?"
            assert status == 0 or shown, f"`{command.text}` exits with {status}"

    def run(self, command: Command, last_status: int) -> int:
        text = f"make --dry-run {command.text}" if command.text in RECURSIVE else command.text
        text = text.replace("make --dry-run make", "make --dry-run").replace(
            ".ci/run", "check test"
        )
        done = subprocess.run(
            ["bash", "-c", f"(exit {last_status}); {self._on_port(text)}"],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        expected = self._on_port(command.expected)
        if expected:
            assert_output(expected, done.stdout, command.text)
        return 0 if command.text == "echo $?" else done.returncode

    def start_ui(self, command: Command) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        option = f"--port {self.port}"
        text = command.text + (f" ARGS='{option}'" if "make" in command.text else f" {option}")
        screen = self.folder / ".screen"
        self.stack.enter_context(running(text, self.folder, self.environ, screen))
        wait_until(lambda: answers(f"http://127.0.0.1:{self.port}/server_info"), 90, screen)
        expected = self._on_port(command.expected)
        wait_until(lambda: matches(expected, screen.read_text()), 90, screen)

    def _on_port(self, text: str) -> str:
        return text.replace("localhost:3000", f"localhost:{self.port}") if self.port else text


def parse_blocks(page: str) -> list[Block]:
    return [
        Block(language=match[1] or "", attributes=dict(_ATTRIBUTE.findall(match[2])), text=match[3])
        for match in _FENCE.finditer(page)
    ]


def parse_commands(text: str) -> list[Command]:
    commands: list[Command] = []
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        last = next(i for i, line in enumerate(lines) if not line.endswith("\\"))
        expected = "\n".join(lines[last + 1 :]).strip()
        commands.append(Command(text="\n".join(lines[: last + 1]), expected=expected))
    return commands


def matches(expected: str, printed: str) -> bool:
    """Whether `printed` is `expected`, in which `...` stands for any text, and alone for lines."""
    printed = "\n".join(line.rstrip() for line in printed.strip().splitlines())
    parts = [re.escape(part) for part in re.split(r"\.\.\.", expected)]
    return re.fullmatch(".*?".join(parts), printed, re.DOTALL) is not None


def assert_output(expected: str, printed: str, command: str) -> None:
    assert matches(expected, printed), f"$ {command}\n{printed}\n--- the page shows\n{expected}"


@contextmanager
def running(text: str, folder: Path, environ: dict[str, str], screen: Path):
    with screen.open("w") as output:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {text}"],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
        assert process.poll() is None, screen.read_text()
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=20)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (URLError, OSError):
        return False


def wait_until(condition, seconds: float, screen: Path) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, screen.read_text()
        time.sleep(0.2)


@pytest.fixture
def environ(tmp_path):
    """What a fresh login has, with `.venv/bin` first on the path and a wide, plain terminal."""
    return {
        "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_the_page_does_what_the_page_shows(page, tmp_path, environ):
    text = page.read_text()
    folder = tmp_path / "work"
    if "<!-- starts in: an empty folder -->" in text:
        folder.mkdir()
    else:
        shutil.copytree(ROOT, folder, ignore=_NOT_COPIED)
        (folder / ".venv").symlink_to(ROOT / ".venv")
    with ExitStack() as stack:
        reader = Reader(folder=folder, environ=environ, stack=stack)
        for block in parse_blocks(text):
            reader.follow(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_the_page_leads_to_a_file(page):
    links = [link.partition("#")[0] for link in _LINK.findall(page.read_text())]
    local = [link for link in links if link and "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_stand_in_console_blocks_only(page):
    """A `bash` or `shell` block would not be run by the test above."""
    assert {block.language for block in parse_blocks(page.read_text())} <= {
        "console",
        "yaml",
        "python",
        "json",
        "text",
        "mermaid",
    }
