"""The run server with real processes: what it forks, stops, remembers and leaves behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

PROGRAM = """
import os, signal, sys, time
from datetime import timedelta
from pathlib import Path
from orchestration.defs.run_server import RunServer
from orchestration.runner import ProcessSpec, run_attempt

def leave(name):
    # The command stops when it may.
    wait = f"while [ ! -e {name}.may_stop ]; do sleep 0.05; done"
    script = f"exec 2>/dev/null; trap '{wait}; touch {name}.stopped; exit' TERM; touch {name}.begun; while :; do sleep 0.05; done"
    spec = ProcessSpec(
        argv=("sh", "-c", script), working_directory=Path("/"), environ={"PATH": os.environ["PATH"]},
        grace_period=timedelta(seconds=120),
    )
    run_attempt(spec, attempt=1, on_output=lambda *_: None, on_event=lambda _: None)

def work(order):
    name, _, what = order.partition(" ")
    Path(name).write_text(f"{os.getpid()} {os.getsid(0) == os.getpid()}")
    match what:
        case "fail": return 3
        case "raise": raise ValueError("on purpose")
        case "exit": sys.exit(4)
        case "wait": time.sleep(60)
        case "leave": leave(name)
        case "polite":
            signal.signal(signal.SIGTERM, lambda *_: (Path(name).write_text("asked"), os._exit(0)))
            time.sleep(60)
    return 0

def bury(order, cause):
    name, _, _ = order.partition(" ")
    Path(f"{name}.buried").write_text(cause.partition(" was ")[2])

path = Path(sys.argv[1])
RunServer(work=work, bury=bury, leases=path.with_name("leases")).serve(path)
"""
TENANTS = ("acme", "globex", "initech")


def wait_for(question, seconds=20):
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return answer


class Server:
    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "runs.sock"
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(self.path)], stderr=log
            )
        wait_for(self._listens)

    def _listens(self):
        try:
            return self.send(b"[]\n")
        except OSError:
            return False

    def ask(self, do, run_id, what=""):
        order = f"{self.folder / run_id} {what}"
        request = {"do": do, "run_id": run_id, "order": order}
        return self.send(json.dumps(request).encode() + b"\n")

    def send(self, content):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.path))
            connection.sendall(content)
            return json.loads(b"".join(iter(lambda: connection.recv(65536), b"")))

    def text(self, name):
        path = self.folder / name
        return wait_for(lambda: path.exists() and path.read_text())

    def ended(self, run_id):
        return wait_for(lambda: self._ended(run_id))

    def _ended(self, run_id):
        answer = self.ask("look", run_id)
        return answer["detail"] if answer["state"] == "ended" else None


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    yield server
    server.process.kill()
    server.process.wait()


def test_each_run_gets_a_process_and_a_session_of_its_own(server):
    for tenant in TENANTS:
        assert server.ask("start", tenant, "wait")["state"] == "running"

    pids = [server.text(tenant).split() for tenant in TENANTS]
    assert [own for _, own in pids] == ["True"] * 3
    assert len({pid for pid, _ in pids}) == 3
    assert [server.ask("look", tenant)["detail"] for tenant in TENANTS] == [
        f"process {pid}" for pid, _ in pids
    ]


def test_a_run_that_is_started_twice_keeps_its_process(server):
    first = server.ask("start", "acme", "wait")

    assert server.ask("start", "acme", "wait") == first


@pytest.mark.parametrize(
    ("what", "detail"),
    [
        ("", "exit code 0"),
        ("fail", "exit code 3"),
        ("raise", "exit code 1"),
        ("exit", "exit code 4"),
    ],
)
def test_how_a_worker_ended_is_remembered(server, what, detail):
    server.ask("start", "acme", what)

    assert server.ended("acme") == detail
    assert not Path(server.folder, "acme.buried").exists()


def test_a_worker_that_was_killed_is_buried(server):
    server.ask("start", "acme", "wait")
    os.kill(int(server.text("acme").split()[0]), signal.SIGKILL)

    assert server.ended("acme") == "killed by SIGKILL"
    assert server.text("acme.buried") == "killed by SIGKILL"


def test_stop_asks_the_worker_of_that_run_and_no_other(server):
    for tenant in TENANTS:
        server.ask("start", tenant, "polite")
        server.text(tenant)

    server.ask("stop", "globex")

    assert server.ended("globex") == "exit code 0"
    assert server.text("globex") == "asked"
    assert [server.ask("look", tenant)["state"] for tenant in TENANTS] == [
        "running",
        "ended",
        "running",
    ]


def test_a_run_that_it_has_not_started_is_unknown(server):
    unknown = {"state": "unknown", "detail": "this run server has not started it"}

    assert server.ask("look", "acme") == unknown
    assert server.ask("stop", "acme") == unknown


@pytest.mark.parametrize("content", [b"", b"\n", b"[]\n", b'{"do": "look"}\n', b"\xff\n", b"1" * 9])
def test_nonsense_is_refused_and_the_server_goes_on(server, content):
    if content.endswith(b"\n"):
        assert server.send(content)["state"] == "refused"
    else:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(server.path))
            connection.sendall(content)

    assert server.ask("look", "acme")["state"] == "unknown"


def test_the_id_of_a_run_is_no_path(server):
    assert server.ask("start", "../acme", "")["state"] == "refused"


def test_only_this_user_can_connect(server):
    assert oct(server.path.stat().st_mode & 0o777) == "0o600"


def test_a_server_that_is_told_to_stop_asks_its_workers_and_waits_for_them(server):
    for tenant in TENANTS:
        server.ask("start", tenant, "polite")
        server.text(tenant)

    server.process.send_signal(signal.SIGTERM)

    assert server.process.wait(timeout=20) == 0
    assert [server.text(tenant) for tenant in TENANTS] == ["asked"] * 3


def test_the_workers_of_a_server_that_is_killed_are_asked_to_stop(server):
    for tenant in TENANTS:
        server.ask("start", tenant, "polite")
    pids = [int(server.text(tenant).split()[0]) for tenant in TENANTS]

    server.process.kill()

    wait_for(lambda: not any(psutil.pid_exists(pid) and _alive(pid) for pid in pids))
    assert [server.text(tenant) for tenant in TENANTS] == ["asked"] * 3


def test_a_killed_worker_has_ended_once_its_command_has_and_is_buried_then(server):
    server.ask("start", "acme", "leave")
    wait_for((server.folder / "acme.begun").exists)
    os.kill(int(server.text("acme").split()[0]), signal.SIGKILL)

    wait_for(lambda: server.ask("look", "acme")["state"] == "stopping")
    assert not (server.folder / "acme.buried").exists()
    (server.folder / "acme.may_stop").touch()

    assert server.ended("acme") == "killed by SIGKILL"
    assert (server.folder / "acme.stopped").exists()
    assert server.text("acme.buried") == "killed by SIGKILL"
    assert list((server.folder / "leases").iterdir()) == []


def test_a_new_server_knows_what_is_left_of_the_workers_of_one_that_was_killed(server):
    for tenant in TENANTS:
        server.ask("start", tenant, "leave")
    for tenant in TENANTS:
        wait_for((server.folder / f"{tenant}.begun").exists)
    server.process.kill()
    server.process.wait()
    new = Server(server.folder)
    try:
        stopping = {
            "state": "stopping",
            "detail": "its process was killed, and is being cleared up",
        }
        assert [new.ask("look", tenant) for tenant in TENANTS] == [stopping] * 3
        assert new.ask("start", "acme", "wait") == stopping
        for tenant in TENANTS:
            (server.folder / f"{tenant}.may_stop").touch()
        for tenant in TENANTS:
            wait_for(lambda t=tenant: new.ask("look", t)["state"] == "unknown")
            assert (server.folder / f"{tenant}.stopped").exists()
        assert new.ask("start", "acme", "")["state"] == "running"
        assert new.ended("acme") == "exit code 0"
    finally:
        new.process.kill()
        new.process.wait()


def _alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
