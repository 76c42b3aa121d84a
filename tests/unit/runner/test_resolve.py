import pytest

from orchestration.runner.resolve import Resolver, inherited, proxy_passwords

ENVIRON = {
    "PATH": "/usr/bin",
    "HOME": "/home/ada",
    "LC_ALL": "C.UTF-8",
    "TOKEN": "hunter2!",
    "MODE": "from the environment",
    "EMPTY": "",
    "PIN": "123",
}


def make_resolver(**overrides: str) -> Resolver:
    return Resolver(environ=ENVIRON, overrides=overrides)


def test_only_the_allow_list_is_inherited():
    allowed = {
        name: f"value of {name}"
        for name in [
            "PATH",
            "HOME",
            "LANG",
            "TZ",
            "TMPDIR",
            "LC_ALL",
            "LC_TIME",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "http_proxy",
            "HTTP_PROXY",
            "https_proxy",
            "HTTPS_PROXY",
            "no_proxy",
            "NO_PROXY",
            "all_proxy",
            "ALL_PROXY",
        ]
    }
    refused = dict.fromkeys(
        ("AWS_SECRET_ACCESS_KEY", "LCX", "path", "PYTHONPATH", "ORCHESTRATE_RUNNER", "USER"), "x"
    )
    assert inherited({**refused, **allowed}) == allowed


def test_overrides_come_before_declared_values_and_those_before_the_environment():
    resolver = make_resolver(A="override")
    resolver.declare({"A": "job", "MODE": "job"}, "env")
    assert resolver.text("${A} ${MODE} ${TOKEN}", "command[0]") == "override job hunter2!"


def test_what_is_declared_later_sees_and_replaces_what_was_declared_before():
    resolver = make_resolver()
    resolver.declare({"HOST": "db.acme", "MODE": "tenant"}, "tenants.acme.env")
    resolver.declare({"MODE": "${MODE}, job", "DSN": "pg://${HOST}"}, "env")
    assert resolver.declared == {"HOST": "db.acme", "MODE": "tenant, job", "DSN": "pg://db.acme"}


def test_values_of_one_map_do_not_see_each_other():
    resolver = make_resolver()
    resolver.declare({"MODE": "declared", "COPY": "${MODE}"}, "env")
    assert resolver.declared["COPY"] == "from the environment"


def test_values_from_outside_are_secret_and_those_of_the_files_are_not():
    resolver = make_resolver(KEY="override!")
    resolver.declare({"DSN": "pg://:${TOKEN}@db", "PLAIN": "plain text"}, "env")
    resolver.text("${DSN} ${PLAIN} ${KEY} ${TOKEN} ${UNSET:-the default} ${PIN} ${EMPTY}", "x")
    assert resolver.secrets == ("override!", "hunter2!")


def test_overrides_are_secret_whether_a_reference_uses_them_or_not():
    resolver = make_resolver(KEY="override!", HOME="/home/eve", PIN="123")
    assert resolver.secrets == ("override!", "/home/eve")


@pytest.mark.parametrize(
    ("url", "passwords"),
    [
        ("http://ada:hunter2!@proxy:3128", ("hunter2!",)),
        ("ada:hunter2!@proxy:3128", ("hunter2!",)),
        ("http://ada:hunter%32%21@proxy:3128/", ("hunter%32%21", "hunter2!")),
        ("http://ada:h:unt/er@2!@proxy:3128", ("h:unt/er@2!",)),
        ("http://ada:123@proxy:3128", ()),
        ("http://ada@proxy:3128", ()),
        ("http://proxy:3128", ()),
        ("", ()),
    ],
)
def test_the_password_of_a_proxy_is_found(url: str, passwords: tuple[str, ...]):
    assert proxy_passwords({"https_proxy": url, "URL": "http://a:bcdef@g"}) == passwords
    assert proxy_passwords({"ALL_PROXY": url}) == passwords


def test_plain_variables_such_as_home_are_not_secret():
    resolver = make_resolver()
    assert resolver.text("${HOME} ${PATH} ${LC_ALL}", "command[0]") == "/home/ada /usr/bin C.UTF-8"
    assert resolver.secrets == ()


def test_the_default_stands_for_an_unset_or_empty_variable():
    resolver = make_resolver()
    assert resolver.text("${UNSET:-a} ${EMPTY:-b} ${MODE:-c}", "x") == "a b from the environment"
    assert resolver.text("[${EMPTY}]", "x") == "[]"


def test_each_missing_variable_is_kept_with_every_place_that_needs_it():
    resolver = make_resolver()
    resolver.declare({"DSN": "${DB_HOST}:${DB_PORT:-5432}"}, "env")
    resolver.value({"url": ["${DB_HOST}", "${API_KEY} ${TOKEN}"], "n": 3}, "source")
    assert resolver.missing == {
        "DB_HOST": ["env.DSN", "source.url[0]"],
        "API_KEY": ["source.url[1]"],
    }


def test_only_the_texts_of_a_value_are_resolved():
    resolver = make_resolver()
    value = {"${MODE}": ["${PIN}", 3, True, None, 1.5, "$${PIN}"], "in": {"x": "${PIN}"}}
    assert resolver.value(value, "source") == {
        "${MODE}": ["123", 3, True, None, 1.5, "${PIN}"],
        "in": {"x": "123"},
    }


class Vault:
    """A source of secrets that says what it was asked for."""

    description = "the vault"

    def __init__(self, **values: str) -> None:
        self.values = values
        self.asked: list[str] = []

    def find(self, name: str) -> str | None:
        self.asked.append(name)
        return self.values.get(name)


def test_the_source_of_the_tenant_comes_after_what_is_declared_and_before_the_environment():
    vault = Vault(TOKEN="of the vault", MODE="of the vault", A="of the vault", B="of the vault")
    resolver = Resolver(environ=ENVIRON, overrides={"A": "override"}, source=vault)
    resolver.declare({"MODE": "declared", "OWN": "[${TOKEN}]"}, "env")

    assert resolver.text("${A} ${B} ${MODE} ${OWN} ${EMPTY}", "x") == (
        "override of the vault declared [of the vault] "
    )
    assert set(vault.asked) == {"TOKEN", "B", "EMPTY"}


def test_values_of_the_source_are_secret_whatever_their_name():
    vault = Vault(HOME="/home/of/the/vault", TOKEN="of the vault", UNUSED="never asked for")
    resolver = Resolver(environ=ENVIRON, overrides={}, source=vault)

    resolver.text("${HOME} ${TOKEN} ${PATH}", "x")

    assert resolver.secrets == ("/home/of/the/vault", "of the vault")


def test_the_default_stands_where_the_source_and_the_environment_have_nothing():
    resolver = Resolver(environ=ENVIRON, overrides={}, source=Vault(BLANK=""))
    assert resolver.text("${UNSET:-a} ${BLANK:-b} ${MODE:-c}", "x") == "a b from the environment"
