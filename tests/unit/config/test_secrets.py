import pytest

from orchestration.config.secrets import find_secrets, is_secret_key, mask_line, may_hold_secrets


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"password": "hunter2"}, [("password", "", "hunter2")]),
        ({"a": {"DB_PASSWD": 1234}}, [("DB_PASSWD", "", "1234")]),
        ({"auth-token": "x1", "apiKey": "x2"}, [("auth-token", "", "x1"), ("apiKey", "", "x2")]),
        ({"secret_access_key": "abc"}, [("secret_access_key", "", "abc")]),
        ({"token": "${TOKEN}", "secret": "{{ secrets.A }}", "pwd": "", "password": None}, []),
        ({"token": "${TOKEN:-abc}"}, [("token", "", "abc")]),
        ({"next_page_token": "next", "token_url": "https://x", "secret_name": "a"}, []),
        (
            {"Authorization": "Basic Ym9i", "db_pass": "x1", "pass": "x2", "credentials": "x3"},
            [
                ("Authorization", "", "Basic Ym9i"),
                ("db_pass", "", "x1"),
                ("pass", "", "x2"),
                ("credentials", "", "x3"),
            ],
        ),
        (
            {"passwords": ["x1", "${P}"], "CREDENTIAL": "${C:-x2}", "dsn": "${DB_PASSWORD:-x3}/a"},
            [("passwords", "", "x1"), ("CREDENTIAL", "", "x2"), ("dsn", "", "x3")],
        ),
        (
            {"a": "Bearer x1", "command": ["curl", "-H", "Authorization: Bearer x2"]},
            [("a", "a bearer token", "x1"), ("command", "a bearer token", "x2")],
        ),
        ({"a": "Bearer ${TOKEN}", "b": "the bearer of news", "bypass": "x", "compass": "y"}, []),
        ({"tokens": ["a"], "password": True}, []),
        (
            {"url": "postgresql://bob:hunter2@db:5432/x"},
            [("url", "a password in a URL", "hunter2")],
        ),
        ({"url": "postgresql://${USER}:${PASSWORD}@db/x", "b": "https://bob@host/a:b"}, []),
        (
            {"x": "key AKIAIOSFODNN7EXAMPLE."},
            [("x", "an access key of AWS", "AKIAIOSFODNN7EXAMPLE")],
        ),
        (
            {"command": ["x", "--db-password=a1", "--token", "b2", "--token", "--verbose"]},
            [("--db-password", "", "a1"), ("--token", "", "b2")],
        ),
        ({"command": ["x", "--token=${T}", "--api-key", "${K}"]}, []),
    ],
)
def test_literal_secrets_are_found_by_their_key_or_their_shape(data, found):
    assert [(one.key, one.kind, one.value) for one in find_secrets(data)] == found


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("password: hunter2", "password: *******"),
        ("  - {api_key: abc, other: x}", "  - {api_key: **** ****** **"),
        ("password: ${PASSWORD}", "password: ${PASSWORD}"),
        ("password: ${PASSWORD:-abc}", "password: ${PASSWORD:-***}"),
        ("url: https://bob:hunter2@host/", "url: https://bob:*******@host/"),
        ('AUTH_TOKEN="abc"', "AUTH_TOKEN=*****"),
        ("x: ghp_0123456789abcdefghijklmnopqrstuvwxyzAB", f"x: {'*' * 42}"),
        ("x: QWxhZGRpbjpvcGVuIHNlc2FtZTEyMzQ1Njc4", f"x: {'*' * 36}"),
        ("db_pass: abc", "db_pass: ***"),
        ("pass: ${X:-abc}", "pass: ${X:-***}"),
        ("authorization: Basic Ym9i", "authorization: ***** ****"),
        ("header: 'Bearer abc'", "header: 'Bearer ***'"),
        ("bypass: abc", None),
        ("asset: stripe_customers_to_iceberg_warehouse_v2", None),
        ("source_connector: csv", None),
    ],
)
def test_lines_are_shown_without_secrets_at_their_full_length(line, masked):
    assert mask_line(line) == (masked or line)
    assert len(mask_line(line)) == len(line)


@pytest.mark.parametrize(
    "text",
    [
        "password: x",
        "A_SECRET",
        "u://a:b@c",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOi",
        "SK_LIVE",
        "DB_PASS",
        "Bearer x",
    ],
)
def test_the_quick_look_misses_nothing_that_the_search_finds(text):
    assert may_hold_secrets(text.encode())


def test_a_harmless_file_is_not_searched():
    assert not may_hold_secrets(b"command: [python, load.py]\nasset: orders\n")


@pytest.mark.parametrize(
    ("key", "expected"),
    [("PASSWORD", True), ("my-api-key", True), ("keys", False), ("token_path", False)],
)
def test_a_key_names_a_secret_by_its_end(key, expected):
    assert is_secret_key(key) is expected
