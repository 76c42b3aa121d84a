from pathlib import Path

from orchestration.domain.secrets import EnvSecrets, FileSecrets
from orchestration.domain.workspace import Tenant
from orchestration.runner.secrets import foreign_variables, open_secrets

ENVIRON = {
    "PATH": "/usr/bin",
    "ACME_TOKEN": "of acme",
    "ACME_EU_TOKEN": "of acme in Europe",
    "GLOBEX_TOKEN": "of globex",
    "TOKEN": "of everybody",
}


def tenants(**prefixes: str) -> list[Tenant]:
    return [
        Tenant(name=name, concurrency=1, secrets=EnvSecrets(prefix=prefix))
        for name, prefix in prefixes.items()
    ]


def test_a_secret_of_the_environment_is_found_by_the_rest_of_its_name():
    provider = open_secrets(EnvSecrets(prefix="ACME_"), ENVIRON)

    found = {name: provider.find(name) for name in ("TOKEN", "EU_TOKEN", "ACME_TOKEN", "PATH")}

    assert found == {
        "TOKEN": "of acme",
        "EU_TOKEN": "of acme in Europe",
        "ACME_TOKEN": None,
        "PATH": None,
    }


def test_a_provider_says_where_it_looks():
    assert open_secrets(EnvSecrets(prefix="ACME_"), {}).description == "variables `ACME_<NAME>`"
    source = FileSecrets(path=Path("/run/secrets/acme"))
    assert open_secrets(source, {}).description == "`/run/secrets/acme`"


def test_each_tenant_is_kept_from_the_variables_of_the_others():
    everyone = tenants(acme="ACME_", globex="GLOBEX_", initech="INITECH_")

    assert {t.name: foreign_variables(ENVIRON, everyone, t.name) for t in everyone} == {
        "acme": {"GLOBEX_TOKEN": "globex"},
        "globex": {"ACME_TOKEN": "acme", "ACME_EU_TOKEN": "acme"},
        "initech": {"ACME_TOKEN": "acme", "ACME_EU_TOKEN": "acme", "GLOBEX_TOKEN": "globex"},
    }


def test_a_tenant_without_secrets_of_its_own_does_not_see_those_of_others():
    everyone = [*tenants(acme="ACME_", globex="GLOBEX_"), Tenant(name="initech", concurrency=1)]

    foreign = foreign_variables(ENVIRON, everyone, "initech")

    assert foreign == {"ACME_TOKEN": "acme", "ACME_EU_TOKEN": "acme", "GLOBEX_TOKEN": "globex"}
    assert (
        foreign_variables(ENVIRON, everyone, "a tenant that runner.yaml does not name") == foreign
    )
