import json

from orchestration.connectors.checkpoint import (
    Checkpoint,
    FileMark,
    Method,
    checkpoint_to_json,
    differences,
    method_of,
    outdate,
    parse_checkpoint,
)
from orchestration.connectors.sources.csv import CsvOptions
from orchestration.connectors.sources.sqlite import SqliteOptions

MERGE = Method(connector="csv", write_disposition="merge", primary_key=("a", "b"))


def test_a_checkpoint_survives_its_way_through_json():
    checkpoint = Checkpoint(
        method=MERGE,
        shape="s",
        table="airports",
        files={
            "a.csv": FileMark(size=1, modified_ns=2, digest="d"),
            "b.csv": FileMark(size=1, modified_ns=2, digest="d", rejected=3, doubled=("a.csv",)),
        },
        digest="e",
    )
    assert parse_checkpoint(json.loads(json.dumps(checkpoint_to_json(checkpoint)))) == checkpoint


def test_an_outdated_checkpoint_knows_its_files_and_trusts_none_of_them():
    mark = FileMark(size=1, modified_ns=2, digest="d", rejected=3)
    checkpoint = Checkpoint(method=MERGE, shape="s", table="t", files={"a": mark}, digest="e")
    outdated = outdate(checkpoint)
    assert (outdated.table, outdated.digest) == ("t", None)
    assert outdated.files == {"a": FileMark(size=-1, modified_ns=0, digest="")}


def test_the_method_is_what_decides_how_records_reach_the_table():
    assert method_of("csv", CsvOptions(path="x", primary_key=["a", "b"])) == MERGE
    options = SqliteOptions(path="x", table="t", incremental={"cursor": "at"})
    assert method_of("sqlite", options) == Method(
        connector="sqlite", write_disposition="append", cursor="at"
    )


def test_differences_of_methods_are_said_in_the_words_of_the_options():
    now = Method(connector="csv", write_disposition="append")
    assert differences(MERGE, now) == [
        "write_disposition `merge` to `append`",
        "primary_key `['a', 'b']` to `[]`",
    ]
    assert differences(MERGE, MERGE) == []
