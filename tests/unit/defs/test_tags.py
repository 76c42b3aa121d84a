from orchestration.defs import tags


def test_a_job_carries_its_tenant_name_and_connector_beside_its_own_tags(make_job):
    job = make_job("acme", "orders", source_connector="csv", tags={"team": "sales"})

    assert tags.job_tags(job) == {
        "team": "sales",
        "tenant": "acme",
        "job_name": "orders",
        "connector_type": "csv",
    }


def test_a_custom_tag_cannot_pass_for_another_tenant(make_job):
    job = make_job("acme", "orders", tags={"tenant": "globex"})

    assert tags.job_tags(job)["tenant"] == "acme"


def test_a_command_job_without_a_source_has_the_connector_type_command(make_job):
    assert tags.connector_type(make_job()) == "command"


def test_the_tags_of_several_jobs_are_joined_without_repetition():
    merged = tags.merge_tags(
        [
            {"tenant": "acme", "connector_type": "csv"},
            {"tenant": "globex", "connector_type": "csv"},
            {"tenant": "acme"},
        ]
    )

    assert merged == {"tenant": "acme,globex", "connector_type": "csv"}
