import re

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
    assert make_job().connector == "command"


def test_the_tags_of_several_jobs_are_joined_without_repetition():
    merged = tags.merge_tags(
        [
            {"tenant": "acme", "connector_type": "csv"},
            {"tenant": "globex", "connector_type": "csv"},
            {"tenant": "acme"},
        ]
    )

    assert merged == {"tenant": "acme,globex", "connector_type": "csv"}


def test_a_re_execution_continues_the_trace_of_the_first_run_with_a_span_of_its_own():
    first, again = "0af76519-16cd-43dd-8448-eb211c80319c", "b7ad6b71-6920-4333-9d1c-6ba0e7d5a1f2"

    assert tags.make_traceparent(first, first) == (
        "00-0af7651916cd43dd8448eb211c80319c-8448eb211c80319c-01"
    )
    assert tags.make_traceparent(again, first) == (
        "00-0af7651916cd43dd8448eb211c80319c-9d1c6ba0e7d5a1f2-01"
    )


def test_the_trace_of_a_run_with_a_made_up_id_is_valid_and_stays_the_same():
    trace = tags.make_traceparent("nightly", "nightly")

    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", trace)
    assert trace == tags.make_traceparent("nightly", "nightly")
    assert trace != tags.make_traceparent("nightly", "weekly")
