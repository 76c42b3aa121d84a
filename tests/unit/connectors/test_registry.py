import pytest

from orchestration.connectors.registry import CATALOG, SOURCES, TARGETS, find_connector
from orchestration.errors import ConnectorUnavailableError


def test_the_catalog_names_the_connectors_of_each_role():
    assert CATALOG.names("source") == {"csv", "jsonl", "parquet", "rest", "sqlite"}
    assert CATALOG.names("target") == {"duckdb"}


@pytest.mark.parametrize(
    ("role", "name"), [("source", name) for name in SOURCES] + [("target", n) for n in TARGETS]
)
def test_every_connector_has_a_described_model_and_makes_its_end(role, name):
    model = CATALOG.options_model(role, name)
    assert model.model_config["extra"] == "forbid"
    undescribed = [key for key, field in model.model_fields.items() if not field.description]
    assert undescribed == []
    assert callable(getattr(find_connector(role, name).load(), role))


def test_the_catalog_knows_nothing_of_a_connector_that_is_not_there():
    assert CATALOG.options_model("source", "oracle") is None
    assert CATALOG.options_model("target", "csv") is None
    assert CATALOG.kind("target", "csv") is None


def test_kinds_are_those_that_have_an_icon():
    assert {name: CATALOG.kind("source", name) for name in SOURCES} == {
        "csv": "csv",
        "jsonl": "json",
        "parquet": "parquet",
        "rest": "json",
        "sqlite": "sqlite",
    }
    assert CATALOG.kind("target", "duckdb") == "duckdb"


def test_an_unknown_connector_is_an_error_that_names_those_there_are():
    with pytest.raises(ConnectorUnavailableError) as caught:
        find_connector("source", "oracle")
    assert str(caught.value) == (
        "error ORC607: there is no source connector `oracle`\n"
        "   help: the source connectors are csv, jsonl, parquet, rest, sqlite"
    )
