"""Checkpoints in an object store: moto's S3, over HTTP, and real processes that use it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from orchestration.errors import CheckpointStoreError
from orchestration.runner.checkpoint_stores import RemoteStore
from orchestration.runner.checkpoints import Checkpoints, Origin

ORCHESTRATE = str(Path(sys.executable).with_name("orchestrate"))
TENANTS = ("acme", "globex", "initech")
RUN = Origin(run_id="run-1", attempt=1)
RUNNER = "runner:\n  checkpoints: {url: 's3://${BUCKET}/etl/checkpoints'}\n"
JOB = """\
command:
  - sh
  - -c
  - |
    echo "keys: $AWS_SECRET_ACCESS_KEY."
    cat "$ORCHESTRATE_CHECKPOINT"
    echo $ORCHESTRATE_TENANT >> "$ORCHESTRATE_CHECKPOINT_NEXT"
    exit ${CODE:-0}
"""


@pytest.fixture(scope="module")
def server():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def environ(server, monkeypatch, tmp_path):
    """The variables of one who may use the store, and a bucket that is empty."""
    host, port = server.get_host_and_port()
    variables = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "access",
        "AWS_SECRET_ACCESS_KEY": "not for the command",
        "AWS_DEFAULT_REGION": "us-east-1",
        "BUCKET": f"bucket-{os.getpid()}-{abs(hash(tmp_path)) % 10**9}",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    create_bucket(variables["BUCKET"])
    return variables


def create_bucket(name):
    import s3fs

    s3fs.S3FileSystem(skip_instance_cache=True).mkdir(name)


@pytest.fixture
def orchestrate(environ, tmp_path):
    """Runs `orchestrate` in a workspace of three tenants."""
    (tmp_path / "runner.yaml").write_text(RUNNER)
    for tenant in TENANTS:
        path = tmp_path / f"jobs/{tenant}/events.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(JOB)

    def run(*arguments, **more):
        return subprocess.run(
            [ORCHESTRATE, *arguments],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environ, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_the_jobs_of_three_tenants_remember_in_the_store(orchestrate, environ, tmp_path):
    for tenant in (*TENANTS, "acme"):
        assert orchestrate("run", f"{tenant}/events").returncode == 0
    done = orchestrate("run", "globex/events", CODE="2")

    assert done.stdout == "keys: .\nglobex\n"
    shown = {t: orchestrate("checkpoint", "show", f"{t}/events").stdout for t in TENANTS}
    assert shown == {tenant: f"{tenant}\n" for tenant in TENANTS}
    store = RemoteStore(f"s3://{environ['BUCKET']}/etl/checkpoints")
    assert {tenant: len(store.sizes(f"{tenant}/events")) for tenant in TENANTS} == dict.fromkeys(
        TENANTS, 1
    )
    assert not (tmp_path / ".orchestrate/checkpoints").exists()


def test_the_versions_can_be_listed_set_and_reset(orchestrate):
    assert orchestrate("checkpoint", "set", "acme/events", "runner.yaml").returncode == 0
    assert orchestrate("checkpoint", "reset", "acme/events", "--yes").returncode == 0

    rows = json.loads(orchestrate("checkpoint", "history", "acme/events", "--format=json").stdout)

    assert [(row["version"], row["size_bytes"]) for row in rows] == [(2, 0), (1, len(RUNNER))]
    assert orchestrate("checkpoint", "show", "acme/events").returncode == 2


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"BUCKET": "missing"}, "there is no `missing`"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "Could not connect to the endpoint URL"),
    ],
    ids=["no bucket", "no server"],
)
def test_a_store_that_is_not_there_makes_the_run_fail_before_the_command_starts(
    orchestrate, variables, reason
):
    done = orchestrate("run", "acme/events", **variables)

    assert (done.returncode, done.stdout) == (2, "")
    assert "error ORC665: the checkpoints in s3://" in done.stderr
    assert f"cannot be read: {reason}" in done.stderr
    assert "check `runner.checkpoints.url`, and the credentials of the store" in done.stderr


def test_one_who_has_no_credentials_is_told(orchestrate):
    done = orchestrate(
        "run",
        "acme/events",
        AWS_ACCESS_KEY_ID="",
        AWS_SECRET_ACCESS_KEY="",
        AWS_EC2_METADATA_DISABLED="true",
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be read: Unable to locate credentials" in done.stderr


@pytest.fixture
def checkpoints(environ):
    store = RemoteStore(f"s3://{environ['BUCKET']}/etl")
    return Checkpoints(store=store, job_id="acme/events")


@pytest.mark.parametrize("size", [0, 1, 6 * 1024 * 1024], ids=["empty", "small", "large"])
def test_a_checkpoint_comes_back_as_it_was(checkpoints, size):
    content = os.urandom(size)
    checkpoints.save(content, RUN)

    assert checkpoints.read(checkpoints.current()) == content


def test_what_somebody_else_stores_is_seen_at_once(checkpoints, environ):
    """The listings of s3fs are kept in memory."""
    assert checkpoints.current() is None
    put = f"printf x | {ORCHESTRATE.replace('orchestrate', 'python')} -c {PUT!r}"
    name = "0000000007_20261122T200000123456Z_run_1_" + SHA256_OF_X
    target = f"{environ['BUCKET']}/etl/acme/events/{name}"
    subprocess.run(["sh", "-c", f"{put} {target}"], check=True)

    current = checkpoints.current()

    assert (current.number, checkpoints.read(current)) == (7, b"x")
    assert checkpoints.save(b"y", RUN).number == 8
    assert [version.number for version in checkpoints.history()] == [8, 7]


PUT = "import s3fs, sys; s3fs.S3FileSystem().pipe_file(sys.argv[1], sys.stdin.buffer.read())"
SHA256_OF_X = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


def test_the_last_ten_versions_are_kept(checkpoints):
    for number in range(12):
        checkpoints.save(b"%d" % number, RUN)

    assert [version.number for version in checkpoints.history()] == list(range(12, 2, -1))
    assert len(checkpoints.store.sizes("acme/events")) == 10


def test_a_checkpoint_that_cannot_be_stored_is_told(checkpoints, environ, monkeypatch):
    with pytest.raises(CheckpointStoreError) as caught:
        RemoteStore("s3://missing/etl").write("acme/events", "name", b"x")

    assert caught.value.reason == (
        "the checkpoints in s3://missing/etl cannot be written: The specified bucket does not exist"
    )
