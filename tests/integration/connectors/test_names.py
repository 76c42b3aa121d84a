"""Our names against those of dlt, which would otherwise rename what we ask for."""

from dlt.common.normalizers.naming.snake_case import NamingConvention
from dlt.common.schema.utils import normalize_schema_name
from hypothesis import given
from hypothesis import strategies as st

from orchestration.connectors.names import IDENTIFIER, identifier, pipeline_name


@given(st.text())
def test_dlt_leaves_our_identifiers_as_they_are(text):
    name = identifier(text)
    assert IDENTIFIER.fullmatch(name)
    assert NamingConvention().normalize_table_identifier(name) == name
    assert NamingConvention().normalize_identifier(name) == name


@given(st.text(), st.text())
def test_dlt_leaves_the_names_of_pipelines_as_they_are(tenant, job):
    name = pipeline_name(f"{tenant}/{job}")
    assert normalize_schema_name(name) == name
