import pytest
from pydantic import ValidationError

from orchestration.connectors.options import secrets_of
from orchestration.connectors.sources.csv import CsvOptions
from orchestration.connectors.sources.jsonl import JsonlOptions
from orchestration.connectors.sources.rest import RestOptions
from orchestration.connectors.sources.sqlite import SqliteOptions
from orchestration.connectors.targets.duckdb import DuckdbOptions

URL = "https://api.example.org/items"


def problem(model, **options):
    with pytest.raises(ValidationError) as caught:
        model.model_validate(options)
    (error,) = caught.value.errors(include_url=False)
    return ".".join(map(str, error["loc"])), error["msg"]


@pytest.mark.parametrize(
    ("model", "options", "disposition"),
    [
        (CsvOptions, {"path": "a.csv"}, "append"),
        (CsvOptions, {"path": "a.csv", "primary_key": "id"}, "merge"),
        (CsvOptions, {"path": "a.csv", "write_disposition": "replace"}, "replace"),
        (JsonlOptions, {"path": "a", "primary_key": "i", "write_disposition": "append"}, "append"),
        (SqliteOptions, {"path": "a", "table": "t"}, "replace"),
        (SqliteOptions, {"path": "a", "table": "t", "incremental": {"cursor": "at"}}, "append"),
        (SqliteOptions, {"path": "a", "table": "t", "primary_key": ["a", "b"]}, "merge"),
        (RestOptions, {"url": URL}, "replace"),
        (RestOptions, {"url": URL, "primary_key": "i", "incremental": {"cursor": "at"}}, "merge"),
    ],
)
def test_the_write_disposition_follows_from_key_and_cursor(model, options, disposition):
    assert model.model_validate(options).disposition == disposition


@pytest.mark.parametrize(
    ("model", "options", "expected"),
    [
        (CsvOptions, {}, ("path", "Field required")),
        (CsvOptions, {"path": " "}, ("path", "Value error, a name is not empty")),
        (CsvOptions, {"path": "a", "delimeter": ";"}, ("delimeter", "Extra inputs are not permitted")),
        (CsvOptions, {"path": "a", "encoding": "klingon"}, ("encoding", "Value error, unknown encoding: klingon")),
        (CsvOptions, {"path": "a", "delimiter": "||"}, ("delimiter", "String should have at most 1 character")),
        (CsvOptions, {"path": "a", "write_disposition": "merge"}, ("", "Value error, `write_disposition: merge` needs a `primary_key`")),
        (SqliteOptions, {"path": "a"}, ("", "Value error, give either `table` or `query`")),
        (SqliteOptions, {"path": "a", "table": "t", "query": "q"}, ("", "Value error, give either `table` or `query`")),
        (SqliteOptions, {"path": "a", "table": "t", "write_disposition": "append"}, ("", "Value error, `write_disposition: append` needs `incremental`, or all comes again each time")),
        (SqliteOptions, {"path": "a", "table": "t", "write_disposition": "replace", "incremental": {"cursor": "c"}}, ("", "Value error, `write_disposition: replace` with `incremental` would drop what came before")),
        (SqliteOptions, {"path": "a", "table": "t", "incremental": {"cursor": "c", "lag": 5}}, ("", "Value error, `lag` reads records again, so it needs a `primary_key` to merge them")),
        (RestOptions, {"url": "ftp://example.org"}, ("url", "Value error, a URL starts with `http://` or `https://` and names a host")),
        (RestOptions, {"url": "https://"}, ("url", "Value error, a URL starts with `http://` or `https://` and names a host")),
        (RestOptions, {"url": URL, "timeout": "30"}, ("timeout", "Value error, a duration is written like `90s`, `15m`, `2h`, `1h30m` or `7d`")),
        (RestOptions, {"url": URL, "pagination": {"kind": "offset"}}, ("pagination.offset.limit", "Field required")),
        (RestOptions, {"url": URL, "max_attempts": 0}, ("max_attempts", "Input should be greater than or equal to 1")),
        (DuckdbOptions, {}, ("path", "Field required")),
        (DuckdbOptions, {"path": "a", "table": "My-Table"}, ("table", "Value error, `My-Table` is not in snake case, such as `my_table`")),
        (DuckdbOptions, {"path": "a", "dataset": "a__b"}, ("dataset", "Value error, `a__b` is not in snake case, such as `a_b`")),
    ],
)  # fmt: skip
def test_wrong_options_are_named_with_the_reason(model, options, expected):
    assert problem(model, **options) == expected


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (CsvOptions, {"path": "${DATA}", "encoding": "${ENCODING}"}),
        (RestOptions, {"url": "${API}", "timeout": "${TIMEOUT:-5s}"}),
        (DuckdbOptions, {"path": "${DB}", "dataset": "${DATASET}", "lock_timeout": "${WAIT}"}),
    ],
)
def test_a_reference_is_judged_only_when_it_is_resolved(model, options):
    assert model.model_validate(options)


@pytest.mark.parametrize(
    ("model", "options", "access", "shaping"),
    [
        (CsvOptions, {"path": "a"}, {"path": "b"}, {"delimiter": ";"}),
        (SqliteOptions, {"path": "a", "table": "t"}, {"path": "b"}, {"table": "u"}),
        (
            RestOptions,
            {"url": URL},
            {"headers": {"a": "b"}, "timeout": "1s", "auth": {"kind": "bearer", "token": "x"}},
            {"params": {"a": 1}},
        ),
    ],
)
def test_the_shape_depends_on_what_is_read_and_not_on_the_way_there(
    model, options, access, shaping
):
    def shape(changes):
        return model.model_validate({**options, **changes}).shape

    assert shape(access) == shape({})
    assert shape(shaping) != shape({})


@pytest.mark.parametrize(
    ("auth", "secrets"),
    [
        (None, ()),
        ({"kind": "bearer", "token": "s3cret"}, ("s3cret",)),
        ({"kind": "api_key", "api_key": "k3y"}, ("k3y",)),
        ({"kind": "basic", "username": "ann", "password": "pa55"}, ("pa55",)),
    ],
)
def test_secret_options_are_found_and_not_shown(auth, secrets):
    options = RestOptions.model_validate({"url": URL, "auth": auth})
    assert secrets_of(options) == secrets
    assert not any(secret in repr(options) for secret in secrets)
