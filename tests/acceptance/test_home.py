"""The files of `dev` and `up`, on a real disk."""

import pytest

from orchestration.cli.dev.files import changed_paths, take_snapshot
from orchestration.cli.dev.home import (
    Home,
    Instance,
    claim,
    claim_dagster_home,
    find_home,
    find_instance,
    has_tables,
    write_files,
    write_record,
)
from orchestration.cli.dev.processes import trim_logs
from orchestration.cli.errors import InstanceRunningError, NoInstanceError
from orchestration.defs.instance import render_instance
from orchestration.domain.workspace import Settings, Workspace

INSTANCE = Instance(
    command="up",
    pid=1,
    url="http://localhost:3000",
    socket="/tmp/code-server.sock",
    started="2026-01-31T12:00:00+00:00",
)


@pytest.fixture
def workspace(tmp_path):
    return Workspace(
        root=tmp_path,
        runner_file=tmp_path / "runner.yaml",
        settings=Settings(state_directory=tmp_path / ".orchestrate"),
    )


@pytest.fixture
def home(workspace):
    return find_home(workspace.settings.state_directory, {})


def test_dagsters_home_is_below_the_state_unless_the_environment_names_one(tmp_path):
    state = tmp_path / "s"

    assert find_home(state, {}) == Home(
        state=state, dagster=state / "dagster", socket=state / "code-server.sock"
    )
    assert find_home(state, {"DAGSTER_HOME": "/srv/dagster"}).dagster.as_posix() == "/srv/dagster"


def test_a_socket_whose_path_would_be_too_long_for_the_system_lies_elsewhere(tmp_path):
    home = find_home(tmp_path / ("n" * 100), {})
    made = home.socket.parent.stat()
    home.remove_sockets()

    assert (home.socket.name, len(str(home.socket)) < 100) == ("code-server.sock", True)
    assert (oct(made.st_mode & 0o777), home.socket.parent.exists()) == ("0o700", False)


def test_our_dagster_yaml_is_written_anew_each_time(home, workspace):
    path = home.dagster / "dagster.yaml"
    assert write_files(home, workspace) is None
    path.write_text(f"{path.read_text()}\nolder: version\n")

    assert write_files(home, workspace) is None
    assert path.read_text() == render_instance(
        workspace, dagster_home=home.dagster, run_server=home.run_server
    )


def test_a_dagster_yaml_of_somebody_else_is_kept_and_that_is_said(home, workspace):
    home.dagster.mkdir(parents=True)
    path = home.dagster / "dagster.yaml"
    path.write_text("storage: {}\n")

    note = write_files(home, workspace)

    assert path.read_text() == "storage: {}\n"
    assert note == (
        f"{path} is your own and is used as it is; without the run_coordinator that `orchestrate`"
        " writes, the limits of runner.yaml do not hold"
    )
    assert has_tables(home, workspace.settings, {})


def test_a_new_instance_has_no_tables(home, workspace):
    write_files(home, workspace)

    assert not has_tables(home, workspace.settings, {})


def test_there_is_one_dev_for_a_workspace_and_others_find_it(tmp_path):
    with claim(tmp_path, "dev"):
        write_record(tmp_path, INSTANCE)
        with pytest.raises(InstanceRunningError) as caught, claim(tmp_path, "dev"):
            pass
        assert find_instance(tmp_path) == INSTANCE

    assert caught.value.reason == (
        "`orchestrate up` runs for this workspace already, at http://localhost:3000 in process 1"
    )
    with pytest.raises(NoInstanceError):
        find_instance(tmp_path)


def test_a_home_of_dagster_that_two_workspaces_share_is_used_by_one_of_them_at_a_time(tmp_path):
    shared = tmp_path / "dagster"

    with (
        claim_dagster_home(shared),
        pytest.raises(InstanceRunningError) as caught,
        claim_dagster_home(shared),
    ):
        pass
    with claim_dagster_home(shared):
        pass

    assert caught.value.reason == (
        f"`orchestrate` runs the Dagster instance in `{shared}` for another workspace already"
    )


def test_the_record_of_a_dev_that_was_killed_does_not_count(tmp_path):
    write_record(tmp_path, INSTANCE)

    with pytest.raises(NoInstanceError) as caught:
        find_instance(tmp_path)
    assert caught.value.reason == (
        f"neither `orchestrate up` nor `dev` is running with the state directory `{tmp_path}`"
    )


def test_every_way_of_saving_a_file_changes_the_snapshot(tmp_path):
    runner, job = tmp_path / "runner.yaml", tmp_path / "jobs/acme/orders.yaml"
    other, note = tmp_path / "elsewhere.yaml", tmp_path / "jobs/acme/notes.txt"
    job.parent.mkdir(parents=True)
    for file in (runner, job, other, note):
        file.write_text("a")

    def change(action):
        before = take_snapshot(runner, [other])
        action()
        return changed_paths(before, take_snapshot(runner, [other]))

    copy = tmp_path / "copy"
    copy.write_text("a")
    assert change(lambda: runner.write_text("bb")) == [str(runner)]
    assert change(lambda: copy.rename(job)) == [str(job)]
    assert change(other.unlink) == [str(other)]
    assert change((job.parent / "new.yml").touch) == [str(job.parent / "new.yml")]
    assert change(lambda: note.write_text("bb")) == []


def test_a_log_that_has_grown_too_large_is_emptied_under_its_process_and_kept_once(tmp_path):
    log, other = tmp_path / "daemon.log", tmp_path / "webserver.log"
    other.write_text("short")
    with log.open("ab", buffering=0) as process:
        process.write(b"first lines")
        told = [*trim_logs(tmp_path, largest=8)]
        process.write(b"next")
        told += trim_logs(tmp_path, largest=8)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "daemon.log": "next",
        "daemon.previous.log": "first lines",
        "webserver.log": "short",
    }
    assert told == []


def test_a_log_that_cannot_be_kept_is_told_and_emptied_all_the_same(tmp_path):
    log, gone = tmp_path / "daemon.log", tmp_path / "webserver.log"
    log.write_text("first lines")
    (tmp_path / "daemon.previous.log").mkdir()
    gone.symlink_to("nowhere")  # as a log between its old process and its new one

    [told] = trim_logs(tmp_path, largest=8)

    assert log.read_text() == ""
    assert told.startswith(f"{log} was emptied, and what was in it could not be kept: ")
