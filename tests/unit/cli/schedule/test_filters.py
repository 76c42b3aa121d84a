import pytest

from orchestration.cli.schedule.errors import FilterError
from orchestration.cli.schedule.filters import parse_filters
from orchestration.cli.schedule.survey import ScheduleState


def state(name, tenant, **tags):
    return ScheduleState(
        name=name,
        job=f"{tenant}/orders" if tenant else None,
        tenant=tenant,
        enabled=True,
        running=False,
        trigger=None,
        timezone=None,
        tags=tags,
    )


STATES = (
    state("acme_hourly", "acme", cadence="hourly"),
    state("acme_daily", "acme", cadence="daily", team="a"),
    state("globex_hourly", "globex", cadence="hourly", team="a"),
    state("initech_hourly", "initech"),
    state(None, None),
)


@pytest.mark.parametrize(
    ("expressions", "names"),
    [
        ([], ["acme_hourly", "acme_daily", "globex_hourly", "initech_hourly", None]),
        (["hourly"], ["acme_hourly", "globex_hourly", "initech_hourly"]),
        (["name=acme_*"], ["acme_hourly", "acme_daily"]),
        (["name=acme"], []),
        (["job=globex/orders"], ["globex_hourly"]),
        (["job=*/orders"], ["acme_hourly", "acme_daily", "globex_hourly", "initech_hourly"]),
        (["tenant=initech"], ["initech_hourly"]),
        (["tag:cadence=hourly"], ["acme_hourly", "globex_hourly"]),
        (["tag:cadence=*ly", "tag:team=a"], ["acme_daily", "globex_hourly"]),
        (["tag:cadence=*ly tag:team=a"], ["acme_daily", "globex_hourly"]),
        (["tag:team=a hourly"], ["globex_hourly"]),
        (["tag:Team=a"], []),
    ],
)
def test_all_terms_must_hold(expressions, names):
    is_wanted = parse_filters(expressions)

    assert [state.name for state in STATES if is_wanted(state)] == names


@pytest.mark.parametrize(
    "term", ["nam=x", "name=", "tag:x", "tag:=x", "tag:x=", "tags:x=y", "a:b", "=x", ""]
)
def test_a_term_of_no_known_form_is_refused_with_the_forms(term):
    with pytest.raises(FilterError) as caught:
        parse_filters([term])

    assert str(caught.value) == (
        f"error ORC631: `{term}` is not a filter\n"
        "   help: write `name=GLOB`, `job=TENANT/NAME`, `tenant=NAME`, `tag:KEY=VALUE` or a part"
        " of the name; values may hold `*` and `?`, and several terms must all hold"
    )


def test_of_several_terms_the_wrong_one_is_named():
    with pytest.raises(FilterError) as caught:
        parse_filters(["hourly nam=x"])

    assert caught.value.reason == "`nam=x` in `hourly nam=x` is not a filter"
