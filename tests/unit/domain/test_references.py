import pytest

from orchestration.domain.references import (
    Reference,
    ReferenceSyntaxError,
    UnresolvedReferenceError,
    references,
    substitute,
)

VALUES = {"A": "a", "HOST": "db", "PORT": "5432", "EMPTY": "", "TRICKY": "${HOST} $${x}"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text", "plain text"),
        ("${HOST}:${PORT}", "db:5432"),
        ("${MISSING:-fallback}", "fallback"),
        ("${MISSING:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-used when empty}", "used when empty"),
        ("$${HOST}", "${HOST}"),
        ("$$${HOST}", "$${HOST}"),
        ("$HOST costs $5", "$HOST costs $5"),
        ("${HOST:-a:-b}", "db"),
        ("${NO:-a:-b $x}", "a:-b $x"),
        ("${TRICKY}", "${HOST} $${x}"),
    ],
)
def test_references_are_replaced_by_values_or_defaults(text, expected):
    assert substitute(text, VALUES.get) == expected


def test_references_are_listed_with_their_place_and_default():
    assert references("a ${HOST} $${NO} ${PORT:-1}") == (
        Reference(name="HOST", default=None, start=2, end=9),
        Reference(name="PORT", default="1", start=17, end=27),
    )


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("${", 0),
        ("a ${}", 2),
        ("${1A}", 0),
        ("${A-b}", 0),
        ("${A:?b}", 0),
        ("${{ secrets.A }}", 0),
        ("ok ${A} then ${A", 13),
        ("${A:-${B}}", 0),
    ],
)
def test_a_malformed_reference_is_refused_with_its_position(text, position):
    for function in (references, lambda text: substitute(text, VALUES.get)):
        with pytest.raises(ReferenceSyntaxError) as caught:
            function(text)
        assert caught.value.position == position
    assert str(caught.value) == (
        f"the `${{` at character {position + 1} starts neither `${{NAME}}` nor `${{NAME:-default}}`;"
        " for a literal `${` write `$${`"
    )


def test_a_reference_without_value_and_default_is_refused():
    with pytest.raises(UnresolvedReferenceError) as caught:
        substitute("${HOST} ${MISSING}", VALUES.get)
    assert caught.value.name == "MISSING"
    assert str(caught.value) == "`${MISSING}` has no value and no default"
