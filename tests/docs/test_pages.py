"""Runs what README and docs say: each page in order, as a reader would type it.

How a page is written:
- A `console` block holds commands after `$ ` and, below each, what it prints; `...` stands for any
  text. A command must succeed, unless the next one is `echo $?`, which shows how it failed.
- A block whose fence says `title="path"` is a file that the reader writes there.
- A block whose fence says `excerpt="path"` shows consecutive lines of a file of this repository.
- `<!-- starts in: an empty folder -->` at the top: the page begins with nothing. Otherwise it
  begins in a copy of this repository.
- A block whose fence says `screen="then"` is what then appears in the terminal of the UI.
- A command that starts the UI goes on until the end of the page, on a free port in place of 3000.
- `docker` is `programs/docker`, which runs the same without a container, unless the environment
  variable CONTAINER_ENGINE names a program that does.
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
STARTS_UI = ("make dev", "orchestrate dev", "orchestrate up")
# These would run this test again, or for minutes: make says what they would do.
RECURSIVE = {f"make {target}": f"make -n {target}" for target in ("test", "check", "bench")}
_PUBLISHED = "-p 127.0.0.1:3000:"
STAND_IN = Path(__file__).parent / "programs"
_VARYING = {
    r"\b\d+(\.\d+)? ?s\b": "<duration>",
    r"\b\d\d:\d\d:\d\d\b": "<time>",
    r"(load_id|execution_time_seconds|records_per_second|total_bytes)=\S+": r"\1=<...>",
    r"(workspace +)\S+": r"\1<path>",
}
_FENCE = re.compile(r"^```(\w+)?(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", ".orchestrate", "warehouse", "__pycache__", ".*_cache", ".hypothesis"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    language: str
    attributes: dict[str, str]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    text: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Somebody who follows a page in `folder`; where it says port 3000, they take `port`."""

    folder: Path
    environ: dict[str, str]
    stack: ExitStack
    port: int
    shown: list[str] = field(default_factory=list)

    @property
    def screen(self) -> Path:
        return self.folder / ".screen"

    def follow(self, block: Block) -> None:
        if path := block.attributes.get("title"):
            self.write(path, block.text)
        elif path := block.attributes.get("excerpt"):
            assert block.text in (ROOT / path).read_text(), f"{path} does not hold these lines"
        elif "screen" in block.attributes:
            self.watch(block.text)
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
        text = RECURSIVE.get(command.text, command.text)
        done = subprocess.run(
            ["bash", "-c", f"(exit {last_status}); {self._on_port(text)}"],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
            check=False,
        )
        if command.expected and text == command.text:
            assert_output(self._on_port(command.expected), done.stdout, command.text)
        if _PUBLISHED in text:
            self.wait_for_ui(self.folder / ".docker" / "log")
        return 0 if command.text == "echo $?" else done.returncode

    def start_ui(self, command: Command) -> None:
        option = f"--port {self.port}"
        text = command.text + (f" ARGS='{option}'" if "make" in command.text else f" {option}")
        self.stack.enter_context(running(text, self.folder, self.environ, self.screen))
        self.wait_for_ui(self.screen)
        self.watch(command.expected)

    def watch(self, text: str) -> None:
        self.shown.append(self._on_port(text).rstrip("\n"))
        expected = "...\n" + "".join(f"{text}\n...\n" for text in self.shown)
        wait_until(lambda: matches(expected, self.screen.read_text()), 90, self.screen)

    def wait_for_ui(self, screen: Path) -> None:
        wait_until(lambda: answers(f"http://127.0.0.1:{self.port}/server_info"), 90, screen)

    def _on_port(self, text: str) -> str:
        return text.replace("localhost:3000", f"localhost:{self.port}").replace(
            _PUBLISHED, f"-p 127.0.0.1:{self.port}:"
        )


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
    """Whether `printed` is `expected`, where a line `...` stands for any lines, and `...` in a line
    for any text.
    """
    pattern = "".join(
        "(?:.*\n)*?" if line.strip() == "..." else re.escape(line).replace(r"\.\.\.", ".*?") + "\n"
        for line in settle(expected).splitlines()
    )
    return re.fullmatch(pattern, settle(printed) + "\n") is not None


def settle(text: str) -> str:
    """The text without what differs from run to run, and without spaces at the ends of lines."""
    for pattern, replacement in _VARYING.items():
        text = re.sub(pattern, replacement, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


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


def stop_containers(folder: Path, environ: dict[str, str]) -> None:
    """Stops what `docker run -d` of the page has started, in case the page did not get to it."""
    for record in (folder / ".docker").glob("*.pid"):
        subprocess.run(["docker", "stop", record.stem], cwd=folder, env=environ, check=False)


def copy_repository(folder: Path) -> None:
    """A copy of this repository in which `make install` has just been done.

    make must not do it again: that would make the real .venv point into the copy.
    """
    shutil.copytree(ROOT, folder, ignore=_NOT_COPIED)
    (folder / ".venv").mkdir()
    (folder / ".venv/bin").symlink_to(ROOT / ".venv/bin")
    for stamp in ("installed", *(path.name[1:] for path in (ROOT / ".venv").glob(".uv-*"))):
        (folder / ".venv" / f".{stamp}").touch()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
        "PATH": f"{STAND_IN}:{ROOT / '.venv/bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "CONTAINER_ENGINE": os.environ.get("CONTAINER_ENGINE", ""),
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_the_page_does_what_the_page_shows(page, tmp_path, environ):
    text = page.read_text()
    folder = tmp_path / "work"
    if "<!-- starts in: an empty folder -->" in text:
        folder.mkdir()
    else:
        copy_repository(folder)
    with ExitStack() as stack:
        stack.callback(stop_containers, folder, environ)
        reader = Reader(folder=folder, environ=environ, stack=stack, port=free_port())
        for block in parse_blocks(text):
            reader.follow(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_the_page_leads_to_a_file(page):
    links = [link.partition("#")[0] for link in _LINK.findall(page.read_text())]
    local = [link for link in links if link and "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_stand_in_console_blocks_only(page):
    """A `bash` or `shell` block would not be run by the test above.

    The generated pages show forms of commands; their examples are run by tests of their own.
    """
    page_languages = {block.language for block in parse_blocks(page.read_text())}
    if page.parent.name == "reference":
        page_languages.discard("")
    assert page_languages <= {
        "console",
        "yaml",
        "python",
        "json",
        "text",
        "mermaid",
    }
