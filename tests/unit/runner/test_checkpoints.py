from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import uuid4

import pytest

from orchestration.errors import (
    CheckpointDamagedError,
    CheckpointRefusedError,
    CheckpointStoreError,
)
from orchestration.runner.checkpoint_stores import LocalStore, RemoteStore, open_store
from orchestration.runner.checkpoints import LARGEST_BYTES, Checkpoints, Origin, Version

TENANTS = ("acme", "globex", "initech")
RUN = Origin(run_id="5e1f0c9c-0000-4000-8000-5a1f0c9c0001", attempt=2)
START = datetime(2026, 11, 22, 20, 0, 0, 123456, tzinfo=UTC)


@dataclass
class Clock:
    """A second passes with each look."""

    at: datetime = START - timedelta(seconds=1)

    def __call__(self):
        self.at += timedelta(seconds=1)
        return self.at


@dataclass
class Race:
    """A store in which somebody else adds a version between our look and our writing."""

    store: RemoteStore
    others: list[bytes] = field(default_factory=list)

    def __getattr__(self, name):
        return getattr(self.store, name)

    def write(self, job_id, name, content):
        other = Checkpoints(store=self.store, job_id=job_id, clock=Clock(START - timedelta(days=1)))
        while self.others:
            other.save(self.others.pop(), RUN)
        self.store.write(job_id, name, content)


@pytest.fixture
def store():
    return RemoteStore(f"memory://{uuid4()}")


@pytest.fixture
def checkpoints(store):
    return Checkpoints(store=store, job_id="acme/orders", clock=Clock())


def version(number, content, *, origin=RUN, seconds=None):
    digest = sha256(content).hexdigest()
    stored_at = START + timedelta(seconds=number - 1 if seconds is None else seconds)
    run = f"{origin.run_id}_{origin.attempt}" if origin else "hand_0"
    return Version(
        number=number,
        stored_at=stored_at,
        origin=origin,
        size=len(content),
        digest=digest,
        name=f"{number:010}_{stored_at:%Y%m%dT%H%M%S%fZ}_{run}_{digest}",
    )


def test_a_job_begins_without_a_checkpoint(checkpoints):
    assert (checkpoints.current(), checkpoints.history()) == (None, ())


def test_each_checkpoint_is_a_version_that_says_where_it_comes_from(checkpoints):
    assert checkpoints.save(b"offset 100", RUN) == version(1, b"offset 100")
    assert checkpoints.save(b"offset 200") == version(2, b"offset 200", origin=None)

    assert checkpoints.history() == (
        version(2, b"offset 200", origin=None),
        version(1, b"offset 100"),
    )
    assert checkpoints.current() == version(2, b"offset 200", origin=None)
    assert [checkpoints.read(found) for found in checkpoints.history()] == [
        b"offset 200",
        b"offset 100",
    ]


def test_an_unchanged_checkpoint_is_no_new_version(checkpoints):
    checkpoints.save(b"offset 100", RUN)

    assert checkpoints.save(b"offset 100", RUN) is None
    assert checkpoints.history() == (version(1, b"offset 100"),)


def test_a_checkpoint_that_comes_back_is_a_new_version(checkpoints):
    for content in (b"a", b"b", b"a"):
        checkpoints.save(content, RUN)

    assert [(found.number, checkpoints.read(found)) for found in checkpoints.history()] == [
        (3, b"a"),
        (2, b"b"),
        (1, b"a"),
    ]


def test_an_empty_checkpoint_is_one(checkpoints):
    assert checkpoints.save(b"", RUN) == version(1, b"")
    assert checkpoints.read(checkpoints.current()) == b""
    assert checkpoints.save(b"", RUN) is None


def test_the_last_ten_versions_are_kept(checkpoints, store):
    for number in range(1, 26):
        checkpoints.save(b"%d" % number, RUN)

    assert [found.number for found in checkpoints.history()] == list(range(25, 15, -1))
    assert len(store.sizes("acme/orders")) == 10


def test_after_a_reset_there_is_none_and_the_versions_before_can_be_read(checkpoints):
    first = checkpoints.save(b"offset 100", RUN)

    reset = checkpoints.reset()

    assert (reset.number, reset.digest, reset.size, reset.origin) == (2, None, 0, None)
    assert checkpoints.current() is None
    assert checkpoints.history() == (reset, first)
    assert checkpoints.read(first) == b"offset 100"
    assert checkpoints.reset() is None
    assert checkpoints.save(b"offset 100", RUN).number == 3


def test_a_reset_is_not_an_empty_checkpoint(checkpoints):
    checkpoints.save(b"x", RUN)
    checkpoints.reset()

    assert checkpoints.save(b"", RUN).number == 3
    assert checkpoints.read(checkpoints.current()) == b""


def test_there_is_nothing_to_reset_where_there_is_nothing(checkpoints):
    assert checkpoints.reset() is None
    assert checkpoints.history() == ()


def test_what_was_stored_before_there_were_versions_is_still_read(checkpoints, store):
    store.write("acme/orders", "current", b"offset 7")

    old = checkpoints.current()

    assert (old.number, old.stored_at, old.origin, old.size) == (1, None, None, 8)
    assert checkpoints.read(old) == b"offset 7"
    assert checkpoints.save(b"offset 7", RUN) is None
    assert checkpoints.save(b"offset 8", RUN).number == 2
    assert [found.number for found in checkpoints.history()] == [2]


def test_what_was_stored_before_there_were_versions_can_be_reset(checkpoints, store):
    store.write("acme/orders", "current", b"offset 7")

    checkpoints.reset()

    assert checkpoints.current() is None


def test_other_files_in_the_folder_are_no_versions(checkpoints, store):
    saved = checkpoints.save(b"x", RUN)
    for name in (".lock", f"{saved.name}.new", "0000000002_notes", "README"):
        store.write("acme/orders", name, b"?")

    assert checkpoints.history() == (saved,)


@pytest.mark.parametrize("run_id", ["hand", "reset", "a/b_c d", "..", "_1_"])
def test_the_run_of_a_version_comes_back_as_it_was(store, run_id):
    origin = Origin(run_id=run_id, attempt=13)
    Checkpoints(store=store, job_id="acme/orders").save(b"x", origin)

    assert Checkpoints(store=store, job_id="acme/orders").current().origin == origin


def test_of_two_runs_that_end_at_once_the_last_one_wins_and_the_other_is_history(store):
    race = Race(store, [b"the other"])
    checkpoints = Checkpoints(store=race, job_id="acme/orders", clock=Clock())

    checkpoints.save(b"ours", RUN)

    assert [(found.number, checkpoints.read(found)) for found in checkpoints.history()] == [
        (1, b"ours"),
        (1, b"the other"),
    ]


def test_a_damaged_checkpoint_is_not_handed_out(checkpoints, store):
    saved = checkpoints.save(b"offset 100", RUN)
    store.write("acme/orders", saved.name, b"offset")

    with pytest.raises(CheckpointDamagedError) as caught:
        checkpoints.read(checkpoints.current())

    assert str(caught.value) == (
        "error ORC666: version 1 of the checkpoint of `acme/orders` is damaged: its content is not"
        " what was stored\n"
        "   help: `orchestrate checkpoint history acme/orders` shows the versions before; write one"
        " to a file with `orchestrate checkpoint show acme/orders --version N`, and set it with"
        " `orchestrate checkpoint set acme/orders FILE`"
    )


def test_a_checkpoint_has_a_largest_size(checkpoints):
    checkpoints.save(bytes(LARGEST_BYTES), RUN)

    with pytest.raises(CheckpointRefusedError) as caught:
        checkpoints.save(bytes(LARGEST_BYTES + 1), RUN)

    assert str(caught.value) == (
        "error ORC667: the checkpoint of `acme/orders` has 67,108,865 bytes, and may have"
        " 67,108,864\n"
        "   help: keep in it how far the job has come; data belongs into a target"
    )
    assert [found.number for found in checkpoints.history()] == [1]


def test_three_tenants_with_a_job_of_the_same_name_have_a_checkpoint_each(store):
    for tenant in TENANTS:
        Checkpoints(store=store, job_id=f"{tenant}/orders").save(tenant.encode(), RUN)
    Checkpoints(store=store, job_id="globex/orders").reset()

    found = {}
    for tenant in TENANTS:
        own = Checkpoints(store=store, job_id=f"{tenant}/orders")
        current = own.current()
        found[tenant] = own.read(current) if current else None
    assert found == {"acme": b"acme", "globex": None, "initech": b"initech"}


def test_a_scheme_whose_package_is_missing_is_told(tmp_path):
    with pytest.raises(CheckpointStoreError) as caught:
        RemoteStore("gs://acme/checkpoints").sizes("acme/orders")

    assert str(caught.value) == (
        "error ORC665: the checkpoints in gs://acme/checkpoints need a package that is not"
        " installed: Please install gcsfs to access Google Storage\n"
        "   help: install the extra `stores` for S3, `gcsfs` for Google Cloud Storage and `adlfs`"
        " for Azure"
    )


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, LocalStore("STATE/checkpoints")),
        ("file:///srv/check%20points", LocalStore("/srv/check points")),
        ("file://localhost/srv/x", LocalStore("/srv/x")),
        ("s3://bucket/prefix", RemoteStore("s3://bucket/prefix")),
    ],
)
def test_a_url_has_its_store(tmp_path, url, expected):
    found = open_store(url, tmp_path)

    if isinstance(expected, LocalStore):
        assert str(found.folder) == str(expected.folder).replace("STATE", str(tmp_path))
    else:
        assert found == expected
