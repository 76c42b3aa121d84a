from pathlib import Path

from orchestration.domain.secrets import EnvSecrets, FileSecrets, owned_variables

NAMES = ("PATH", "ACME_TOKEN", "ACME_EU_TOKEN", "GLOBEX_TOKEN", "INITECH_TOKEN", "ACME", "TOKEN")


def test_a_variable_belongs_to_the_tenant_with_whose_prefix_it_begins():
    sources = {
        "acme": EnvSecrets(prefix="ACME_"),
        "globex": EnvSecrets(prefix="GLOBEX_"),
        "initech": FileSecrets(path=Path("/run/secrets/initech")),
        "umbrella": None,
    }

    assert owned_variables(NAMES, sources) == {
        "ACME_TOKEN": "acme",
        "ACME_EU_TOKEN": "acme",
        "GLOBEX_TOKEN": "globex",
    }


def test_without_sources_no_variable_belongs_to_anybody():
    assert owned_variables(NAMES, {}) == {}
