import pytest

from orchestration.connectors.names import IDENTIFIER, identifier, pipeline_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("airports", "airports"),
        ("Airports-EU (2024)", "airports_eu_2024"),
        ("a__b", "a_b"),
        ("_private_", "private"),
        ("2024", "_2024"),
        ("東京", "x"),
    ],
)
def test_a_name_becomes_an_identifier(name, expected):
    assert identifier(name) == expected
    assert IDENTIFIER.fullmatch(identifier(name))


def test_jobs_that_read_alike_have_pipelines_of_their_own():
    names = {pipeline_name(job) for job in ("a/b_c", "a_b/c", "a-b/c", "A/b_c")}
    assert len(names) == 4
    assert pipeline_name("acme/airports") == "acme_airports_379a1d36"


def test_a_pipeline_has_at_most_64_characters():
    assert len(pipeline_name("t" * 100 + "/" + "j" * 100)) <= 64
