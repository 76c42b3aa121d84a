from pathlib import Path

from orchestration.domain.secrets import EnvSecrets, FileSecrets
from orchestration.runner.secrets import open_secrets

ENVIRON = {
    "PATH": "/usr/bin",
    "ACME_TOKEN": "of acme",
    "ACME_EU_TOKEN": "of acme in Europe",
}


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
