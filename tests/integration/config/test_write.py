"""Files are replaced as a whole, and stay whose they were."""

import os
import stat

import pytest

from orchestration.config.edit import write_text_atomically


def test_the_mode_of_the_file_stays_and_its_bytes_are_those_of_the_text(tmp_path):
    file = tmp_path / "runner.yaml"
    file.write_text("old")
    file.chmod(0o640)

    write_text_atomically(file, "\ufeffrunner: é\r\n")

    assert file.read_bytes() == b"\xef\xbb\xbfrunner: \xc3\xa9\r\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["runner.yaml"]


def test_a_symbolic_link_stays_one(tmp_path):
    (tmp_path / "shared").mkdir()
    target, link = tmp_path / "shared/runner.yaml", tmp_path / "runner.yaml"
    target.write_text("old")
    link.symlink_to("shared/runner.yaml")

    write_text_atomically(link, "new")

    assert link.is_symlink()
    assert target.read_text() == "new"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_owner_of_the_file_stays(tmp_path):
    file = tmp_path / "runner.yaml"
    file.write_text("old")
    os.chown(file, 12345, 54321)

    write_text_atomically(file, "new")

    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 54321)


def test_what_cannot_be_written_leaves_the_file_and_nothing_else(tmp_path):
    file = tmp_path / "runner.yaml"
    file.mkdir()

    with pytest.raises(OSError, match=r"runner\.yaml"):
        write_text_atomically(file, "new")

    assert [path.name for path in tmp_path.iterdir()] == ["runner.yaml"]
