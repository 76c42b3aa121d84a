"""The loader on a real disk: links, permissions, places where files are looked for."""

import json
import os
import stat
from pathlib import Path

import pytest

from orchestration.config import (
    EMPTY_CATALOG,
    LastGood,
    ScheduleGate,
    find_runner_file,
    find_state_directory,
    load_workspace,
    schedule_enabled,
)
from orchestration.errors import WorkspaceNotFoundError

RUNNER = """\
runner:
  orchestrator:
    schedules:
      - {name: orders, config: jobs/acme/orders.yaml, cron: "0 * * * *"}
      - {name: users, config: jobs/globex/users.yaml, cron: "0 * * * *", enabled: false}
"""


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "workspace"
    for name, text in {
        "runner.yaml": RUNNER,
        "jobs/acme/orders.yaml": "command: [python, orders.py]\n",
        "jobs/globex/users.yaml": "command: [python, users.py]\n",
        "jobs/initech/data/notes.yaml": "- no job\n",
        "jobs/initech/reports.yaml": "command: [python, reports.py]\n",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def load(root, **arguments):
    runner = root / "runner.yaml"
    return load_workspace(runner, environ={}, catalog=EMPTY_CATALOG, **arguments)


def commands(workspace):
    return {job.id: job.task.command[1] for job in workspace.jobs}


ALL = {
    "acme/orders": "orders.py",
    "globex/users": "users.py",
    "initech/reports": "reports.py",
}


def test_a_workspace_on_disk_loads(root):
    workspace = load(root)
    assert commands(workspace) == ALL
    assert workspace.problems == ()
    assert workspace.watched[:2] == (root / "runner.yaml", root / "jobs/acme/orders.yaml")


def test_links_inside_the_workspace_are_followed_and_circles_are_not(root):
    (root / "jobs/hooli").mkdir()
    (root / "shared").mkdir()
    (root / "shared/search.yaml").write_text("command: [python, search.py]\n")
    (root / "jobs/hooli/search.yaml").symlink_to(root / "shared/search.yaml")
    (root / "jobs/hooli/around").symlink_to(root / "jobs")
    (root / "jobs/pied_piper").symlink_to(root / "shared")
    (root / "shared/circle").symlink_to(root / "shared")
    workspace = load(root)
    assert commands(workspace) == {
        **ALL,
        "hooli/search": "search.py",
        "pied_piper/search": "search.py",
    }
    assert workspace.problems == ()


def test_links_out_of_the_workspace_are_refused(root, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "job.yaml").write_text("command: [python, evil.py]\n")
    (root / "jobs/acme/file.yaml").symlink_to(outside / "job.yaml")
    (root / "jobs/acme/folder").symlink_to(outside)
    workspace = load(root)
    assert commands(workspace) == ALL
    assert [(p.code, p.location.file) for p in workspace.problems] == [
        ("ORC202", "jobs/acme/file.yaml"),
        ("ORC202", "jobs/acme/folder/job.yaml"),
    ]


def test_a_workspace_behind_a_link_is_no_other_workspace(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    (root / "jobs/acme/again.yaml").symlink_to(root / "jobs/globex/users.yaml")
    workspace = load(tmp_path / "link")
    assert commands(workspace) == {**ALL, "acme/again": "users.py"}
    assert workspace.problems == ()


def test_a_file_that_cannot_be_opened_is_one_broken_job(root):
    (root / "jobs/acme/orders.yaml").unlink()
    (root / "jobs/acme/orders.yaml").symlink_to(root / "nowhere.yaml")
    workspace = load(root)
    assert [job.id for job in workspace.broken_jobs] == ["acme/orders"]
    assert [p.message for p in workspace.problems if p.is_error] == [
        "the file cannot be read: no such file or directory"
    ]


def test_a_pipe_among_the_files_makes_nobody_wait(root):
    os.mkfifo(root / "jobs/acme/pipe.yaml")
    workspace = load(root)
    assert commands(workspace) == ALL
    assert [p.message for p in workspace.problems] == [
        "the file cannot be read: not a regular file"
    ]


def test_a_file_whose_name_is_no_text_can_be_reported(root):
    Path(os.fsdecode(os.fsencode(root) + b"/jobs/acme/\xff.yaml")).write_text("command: 5\n")
    workspace = load(root)
    assert commands(workspace) == ALL
    assert {p.location.file for p in workspace.problems} == {"jobs/acme/?.yaml"}
    assert [job.id for job in workspace.broken_jobs] == ["acme/_"]


def test_the_store_is_private_and_written_only_when_something_changed(root):
    store = LastGood.of(root / "runner.yaml", {})
    load(root, last_good=store)
    path = root / ".orchestrate/last_good.json"
    assert store.path == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    texts = json.loads(path.read_text())["texts"]
    assert texts["jobs/acme/orders.yaml"] == "command: [python, orders.py]\n"
    assert list(path.parent.iterdir()) == [path]

    before = path.stat().st_mtime_ns, path.stat().st_ino
    load(root, last_good=LastGood(path))
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before

    (root / "jobs/acme/orders.yaml").write_text("command: [python, new.py]\n")
    load(root, last_good=LastGood(path))
    assert LastGood(path).read("jobs/acme/orders.yaml") == "command: [python, new.py]\n"


@pytest.mark.parametrize("content", ["", "[]", '{"texts": 5}', '{"texts": {"a": 5}}', "{", "\xff"])
def test_an_unreadable_store_is_an_empty_one(tmp_path, content):
    path = tmp_path / "last_good.json"
    path.write_bytes(content.encode("latin-1"))
    assert LastGood(path).read("a") is None
    LastGood(path).write({"a": "text"})
    assert LastGood(path).read("a") == "text"


def test_a_store_that_cannot_be_written_is_a_warning(root):
    (root / ".orchestrate").write_text("a file where a folder should be")
    workspace = load(root, last_good=LastGood.of(root / "runner.yaml", {}))
    assert [problem.code for problem in workspace.problems] == ["ORC210"]
    assert commands(workspace) == ALL


def test_after_a_mistake_the_last_good_versions_stay_in_force(root):
    load(root, last_good=LastGood.of(root / "runner.yaml", {}))
    (root / "jobs/acme/orders.yaml").write_text("comand: [python, orders.py]\n")
    (root / "runner.yaml").write_text(RUNNER.replace("schedules:", "schedules"))
    workspace = load(root, last_good=LastGood.of(root / "runner.yaml", {}))
    assert commands(workspace) == ALL
    assert [job.id for job in workspace.jobs if job.stale] == ["acme/orders"]
    assert [schedule.name for schedule in workspace.schedules] == ["orders", "users"]
    assert workspace.has_errors


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("runner: {}\n", "workspace/.orchestrate"),
        ("runner:\n  state_directory: state\n", "workspace/state"),
        ('runner:\n  state_directory: "../state" # there\n  oops: [\n', "state"),
        ("runner:\n  state_directory: ${STATE:-var}/x\n", "workspace/var/x"),
        ("runner:\n  state_directory: ${MISSING}\n", "workspace/.orchestrate"),
        ("runner:\n  state_directory: /var/lib/x\n", "/var/lib/x"),
        ("runner:\n  state_directory: /app/st\n", "workspace/st"),
        ('runner:\n  "state_directory": st\n', "workspace/st"),
        ("'runner':\n  # here\n\n  'state_directory' : 'st'\n", "workspace/st"),
        ("runner:\n  tenants: {acme: {env: {state_directory: st}}}\n", "workspace/.orchestrate"),
        (
            "runner:\n  tenants:\n    a: {env:\n      {state_directory: x}}\n  state_directory: st\n",
            "workspace/st",
        ),
        (
            "runner:\n  tenants:\n    acme:\n      env:\n        state_directory: deep\n",
            "workspace/.orchestrate",
        ),
    ],
)
def test_the_state_directory_is_the_same_for_all_who_look_for_it(root, tmp_path, text, expected):
    runner = root / "runner.yaml"
    for damage in ("", "  oops: [\n"):
        runner.write_text(text + damage)
        assert find_state_directory(runner, {}) == tmp_path / expected
    runner.write_text(text.replace("  oops: [\n", ""))
    assert load(root).settings.state_directory == tmp_path / expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("runner: {mode: orchestrated, state_directory: st}\n", "workspace/st"),
        ("runner: {state_directory: 5}\n", "workspace/.orchestrate"),
        ("x: 1\n  state_directory: st\nrunner:\n", "workspace/.orchestrate"),
        ("runner:\n  mode: [\nother:\n  state_directory: st\n", "workspace/.orchestrate"),
    ],
)
def test_only_a_direct_child_of_runner_is_the_state_directory(root, tmp_path, text, expected):
    (root / "runner.yaml").write_text(text)
    assert find_state_directory(root / "runner.yaml", {}) == tmp_path / expected
    assert load(root).settings.state_directory == tmp_path / expected


def test_the_gate_follows_the_file(root):
    runner = root / "runner.yaml"
    gate = ScheduleGate(runner, {"ON": "true"})
    assert (gate("orders"), gate("users"), gate("gone")) == (True, False, None)

    write_later(runner, RUNNER.replace("enabled: false", "enabled: '${ON}'"))
    assert (gate("orders"), gate("users")) == (True, True)

    write_later(runner, RUNNER.replace("name: orders", "name: renamed"))
    assert (gate("orders"), gate("renamed"), gate("users")) == (None, True, False)


def test_the_gate_does_not_stop_the_last_good_version_of_a_schedule_that_is_renamed(root):
    runner = root / "runner.yaml"
    gate = ScheduleGate(runner, {})
    load(root, last_good=LastGood.of(runner, {}))
    assert gate("orders") is True

    write_later(runner, RUNNER.replace("name: orders", "name: renamed") + "  tenant: {acme: }\n")
    workspace = load(root, last_good=LastGood.of(runner, {}))
    assert [(s.name, s.enabled) for s in workspace.schedules] == [
        ("orders", True),
        ("users", False),
    ]
    assert (gate("orders"), gate("users")) == (None, False)


def test_while_the_file_is_broken_the_last_answer_of_the_gate_holds(root):
    runner = root / "runner.yaml"
    gate = ScheduleGate(runner, {})
    assert gate("users") is False

    for broken in ("runner: [", "runner: {orchestrator: 5}", RUNNER.replace("false", "maybe")):
        write_later(runner, broken)
        assert (gate("users"), gate("orders")) == (False, True)

    runner.unlink()
    assert (gate("users"), gate("orders")) == (False, True)


def test_a_gate_that_never_read_the_file_does_not_know(tmp_path):
    assert ScheduleGate(tmp_path / "runner.yaml", {})("orders") is None
    (tmp_path / "runner.yaml").write_text("runner: [")
    assert schedule_enabled(tmp_path / "runner.yaml", "orders") is None


def write_later(path, text):
    """Write a file with a time that differs, however coarse the clock of the file system is."""
    before = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(before + 1_000_000_000, before + 1_000_000_000))


def test_the_runner_file_is_the_named_one_then_that_of_the_variable_then_that_of_the_folder(root):
    other = root / "jobs/runner.yaml"
    other.write_text("runner: {}\n")
    elsewhere = Path("/nowhere")
    environ = {"ORCHESTRATE_RUNNER": str(other)}
    assert find_runner_file(None, {}, root) == root / "runner.yaml"
    assert find_runner_file(None, environ, root) == other
    assert find_runner_file(Path("runner.yaml"), environ, root) == root / "runner.yaml"
    assert find_runner_file(root / "jobs", {}, elsewhere) == other
    assert find_runner_file(Path("../workspace"), {}, root) == root / "runner.yaml"


@pytest.mark.parametrize(
    ("explicit", "environ", "looked"),
    [
        (None, {}, "`{root}/none/runner.yaml` (the current folder)"),
        (None, {"ORCHESTRATE_RUNNER": "x.yaml"}, "`{root}/none/x.yaml` (ORCHESTRATE_RUNNER)"),
        (Path("y.yaml"), {"ORCHESTRATE_RUNNER": "x"}, "`{root}/none/y.yaml` (--runner)"),
    ],
)
def test_a_missing_runner_file_is_told_with_the_place(root, explicit, environ, looked):
    with pytest.raises(WorkspaceNotFoundError) as caught:
        find_runner_file(explicit, environ, root / "none")
    assert caught.value.reason == f"there is no runner.yaml at {looked.format(root=root)}"
    assert caught.value.help == (
        "go to the folder of a runner.yaml, or name one with --runner or ORCHESTRATE_RUNNER"
    )
