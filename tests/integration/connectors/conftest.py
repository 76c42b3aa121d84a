"""A workspace folder, and connectors at work in it: in processes of their own, or in this one."""

import json
import os
import subprocess
import sys
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from types import MappingProxyType

import duckdb
import pytest

from orchestration.connectors.order import parse_order
from orchestration.connectors.process import Attempt

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A process that has ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def events(self):
        return [json.loads(line) for line in self.stdout.splitlines() if line.startswith("{")]

    def all(self, event_type):
        """The fields of all events of a type."""
        return [
            {key: value for key, value in event.items() if key != "event_type"}
            for event in self.events
            if event["event_type"] == event_type
        ]

    def one(self, event_type):
        """The fields of the only event of a type."""
        (event,) = self.all(event_type)
        return event


def now():
    return datetime.now(UTC)


def definition(*fields, validation="strict"):
    """An asset definition as an order has it; a field is its name, type, and whether it is
    required.
    """
    return {
        "file": "assets/things.yaml",
        "validation": validation,
        "fields": [
            {"name": name, "type": kind, "required": "required" in more, "description": ""}
            for name, kind, *more in fields
        ],
    }


def replay(**changes):
    return {"id": "", "run": "", "stage": None, "limit": None, "dry_run": False, **changes}


@dataclass(slots=True, kw_only=True)
class Workspace:
    """`root` is the working directory; `home` is the home of the processes."""

    root: Path
    home: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def order(self, source, options, **changes):
        """The text of an order; `changes` replace fields of it."""
        tenant, name = changes.pop("job", "acme/things").split("/")
        state = self.root / ".orchestrate/connectors" / tenant / name
        fields = {
            "job": f"{tenant}/{name}",
            "tenant": tenant,
            "name": name,
            "asset": name,
            "run_id": "r1",
            "attempt": 1,
            "full_refresh": False,
            "source": {"connector": source, "options": options},
            "target": {"connector": "duckdb", "options": {"path": f"warehouse/{tenant}.duckdb"}},
            "working_directory": str(self.root),
            "state_directory": str(state),
            **changes,
        }
        return json.dumps(fields)

    def run(self, source, options, clock=now, **changes):
        """Carries an order out in this process, which has imported everything already."""
        stdout, stderr = StringIO(), StringIO()
        order = parse_order(self.order(source, options, **changes))
        attempt = Attempt(order, stdout, stderr, debug=False, clock=clock)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as the process does
            code = attempt.run()
        return Done(exit_code=code, stdout=stdout.getvalue(), stderr=stderr.getvalue())

    def start(
        self,
        source,
        options,
        program=("-m", "orchestration.connectors"),
        environ=MappingProxyType({}),
        **changes,
    ):
        """Starts a process with an order; `program` is what Python runs."""
        process = subprocess.Popen(
            [sys.executable, *program],
            cwd=self.root,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "LANG": "C.UTF-8",
                **environ,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        process.stdin.write(self.order(source, options, **changes))
        process.stdin.close()
        process.stdin = None
        return process

    def run_process(self, source, options, **changes):
        """Carries an order out in a process of its own and waits for its end."""
        process = self.start(source, options, **changes)
        stdout, stderr = process.communicate(timeout=180)
        return Done(exit_code=process.returncode, stdout=stdout, stderr=stderr)

    def query(self, sql, tenant="acme"):
        with duckdb.connect(str(self.root / f"warehouse/{tenant}.duckdb"), read_only=True) as db:
            return db.execute(sql).fetchall()

    def tables(self, tenant="acme"):
        """The tables that are there, without those of dlt."""
        if not (self.root / f"warehouse/{tenant}.duckdb").exists():
            return []
        sql = (
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main' "
            "AND NOT starts_with(table_name, '_dlt') ORDER BY table_name"
        )
        return [name for (name,) in self.query(sql, tenant)]

    def letters(self, columns="file, position, stage, reason, failures", *, tenant="acme"):
        """The dead letters of the job `things`, by position."""
        table = f"{tenant}_dead_letters.things"
        return self.query(f"SELECT {columns} FROM {table} ORDER BY file, position", tenant)

    def loads(self, tenant="acme"):
        """How many loads were committed."""
        ((count,),) = self.query("SELECT count(*) FROM _dlt_loads", tenant)
        return count

    def files(self):
        """All files of the workspace, by path."""
        return sorted(
            path.relative_to(self.root).as_posix()
            for path in self.root.rglob("*")
            if path.is_file()
        )


@pytest.fixture(name="definition")
def _definition():
    return definition


@pytest.fixture(name="replay")
def _replay():
    return replay


@pytest.fixture
def workspace(tmp_path):
    root, home = tmp_path / "workspace", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    workspace = Workspace(root=root, home=home)
    yield workspace
    for process in workspace.processes:
        if process.poll() is None:
            process.kill()
            process.communicate()
