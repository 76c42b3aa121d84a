import pytest
from upath.registry import available_implementations

from orchestration.config.checkpoint_url import SCHEMES, check_checkpoint_url


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket",
        "s3://bucket/a/b",
        "s3a://bucket/a",
        "gs://bucket/a",
        "gcs://bucket/a",
        "az://container/a",
        "abfs://container@account.dfs.core.windows.net/a",
        "abfss://container@account.dfs.core.windows.net/a",
        "file:///srv/checkpoints",
        "file://localhost/srv/checkpoints",
    ],
)
def test_checkpoints_can_be_kept_in_folders_and_object_stores(url):
    assert check_checkpoint_url(url) is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("checkpoints", "it has no scheme"),
        ("/srv/checkpoints", "it has no scheme"),
        ("s3://", "it names no bucket"),
        ("s3:///checkpoints", "it names no bucket"),
        ("file://", "it names no folder of this machine"),
        ("file:///", "it names no folder of this machine"),
        ("file://server/share", "it names no folder of this machine"),
        ("s3://bucket/a?region=eu", "it has a query or a fragment"),
        ("s3://bucket/a#b", "it has a query or a fragment"),
        ("s3://key:secret@bucket/a", "it holds credentials"),
        ("s3://key@bucket/a", "it holds credentials"),
        ("gs://token@bucket/a", "it holds credentials"),
        ("abfs://container:key@account/a", "it holds credentials"),
        ("http://[bucket/a", "it is no URL"),
    ],
)
def test_a_url_that_names_no_such_place_is_refused(url, reason):
    assert check_checkpoint_url(url).reason == reason


@pytest.mark.parametrize("scheme", ["memory", "sftp", "http", "github", "zip", "s4"])
def test_a_store_that_could_lose_a_checkpoint_is_refused(scheme):
    assert check_checkpoint_url(f"{scheme}://host/a").reason == (
        f"not every store of `{scheme}` keeps a file for good, and as a whole or not at all"
    )


@pytest.mark.parametrize("url", ["s3://key:hunter2@bucket/a", "abfs://c:hunter2@account/a"])
def test_a_refusal_does_not_show_the_credentials(url):
    refusal = check_checkpoint_url(url)

    assert "hunter2" not in f"{refusal.reason} {refusal.cure}"


def test_universal_pathlib_knows_each_scheme():
    assert set(SCHEMES) <= set(available_implementations())
