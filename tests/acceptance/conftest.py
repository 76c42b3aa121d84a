import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

ORCHESTRATE = str(Path(sys.executable).with_name("orchestrate"))
TENANTS = ("acme", "globex", "initech")
RUNNER = """\
runner:
  mode: orchestrated
  orchestrator:
    type: dagster
    schedules:
      - name: acme_orders
        config: jobs/acme/orders.yaml
        cron: "0 3 * * *"
      - name: globex_orders
        config: jobs/globex/orders.yaml
        cron: "0 4 * * *"
        enabled: false
  tenants:
    acme: {concurrency: 3, env: {GREETING: "hello ${WHO:-nobody}"}}
    globex: {}
    initech: {}
"""
JOB = """\
tenant_id: {tenant}
asset: {name}
command: [sh, -c, '{script}']
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A folder of files, and `orchestrate` in it, with the environment of a fresh login."""

    folder: Path
    environ: dict

    def write(self, path, text):
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def write_job(self, tenant, script, *, name="orders", more=""):
        self.write(
            f"jobs/{tenant}/{name}.yaml", JOB.format(tenant=tenant, name=name, script=script) + more
        )

    def edit(self, path, old, new):
        text = (self.folder / path).read_text()
        assert old in text
        (self.folder / path).write_text(text.replace(old, new))

    def run(self, *arguments, seconds=60, **environ):
        done = subprocess.run(
            [ORCHESTRATE, *arguments],
            cwd=self.folder,
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.fixture
def workspace(tmp_path):
    """Three tenants with a job each; each job writes what it was told to whom into `said/`."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    folder = tmp_path / "etl"
    made = Workspace(folder=folder, environ=environ)
    made.write("runner.yaml", RUNNER)
    (folder / "said").mkdir()
    for tenant in TENANTS:
        made.write_job(tenant, f'echo "{tenant} $ORCHESTRATE_TENANT $GREETING" > said/{tenant}')
    return made


@pytest.fixture
def eventually():
    """Waits until a condition holds, and returns what it returned; fails after `seconds`."""

    def wait(condition, *, seconds=60, what="it"):
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"{what} did not happen in {seconds} s"
            time.sleep(0.05)
        return found

    return wait


@pytest.fixture
def marked():
    """The processes that have a variable in their environment: all that a command has started."""

    def find(name, value):
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(name) == value:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    return find


@pytest.fixture
def start(workspace, tmp_path, eventually):
    """Starts a command that goes on, and waits until it has written a text; gives process and log.

    What a failed test leaves is killed.
    """
    started = []

    def begin(*arguments, until, seconds=60, **environ):
        log = tmp_path / f"log{len(started)}"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [ORCHESTRATE, *arguments],
                cwd=workspace.folder,
                env={**workspace.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        eventually(lambda: until in log.read_text() or process.poll() is not None, seconds=seconds)
        assert until in log.read_text(), log.read_text()
        return process, log

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()
