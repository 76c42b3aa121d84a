"""The rules are Dagster's: what we accept it accepts, and what it refuses we refuse."""

import pytest
from dagster._core.definitions.utils import DISALLOWED_NAMES, is_valid_name, is_valid_owner
from dagster._utils.tags import is_valid_strict_tag_value, is_valid_tag_key
from hypothesis import given
from hypothesis import strategies as st

from orchestration.config.names import (
    RESERVED_NAMES,
    Refusal,
    check_job_name,
    check_name,
    check_schedule_name,
    check_tag_key,
    check_tag_value,
    is_owner,
    is_variable_name,
    normalise,
)

NEAR_NAMES = st.text("aZ0_.-/ @:teamü\n", max_size=70)


def test_the_reserved_words_are_those_of_dagster():
    assert RESERVED_NAMES == DISALLOWED_NAMES


@given(NEAR_NAMES | st.sampled_from(sorted(DISALLOWED_NAMES)))
def test_a_name_that_is_accepted_is_one_to_dagster(text):
    if check_name(text, reserved=RESERVED_NAMES) is None:
        assert is_valid_name(text)
        assert is_valid_strict_tag_value(text)


@given(NEAR_NAMES)
def test_tags_and_owners_that_are_accepted_are_so_by_dagster(text):
    if check_tag_key(text) is None:
        assert is_valid_tag_key(text)
    if check_tag_value(text) is None:
        assert is_valid_strict_tag_value(text)
    assert is_owner(text) == is_valid_owner(text)


@given(NEAR_NAMES)
def test_job_names_are_tag_values_and_single_path_parts(text):
    if check_job_name(text) is None:
        assert is_valid_strict_tag_value(text)
        assert "/" not in text
        assert text not in {"", ".", ".."}


@given(st.text())
def test_whatever_is_normalised_is_a_name(text):
    assert check_name(normalise(text)) is None


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("orders", None),
        (
            "my-orders",
            Refusal(
                "only letters, digits and `_` are allowed",
                "use letters, digits and `_`: `my_orders`",
            ),
        ),
        ("class", Refusal("Dagster reserves this word", "add something: `class_data`")),
        ("a" * 64, Refusal("it has 64 characters", "use at most 63")),
    ],
)
def test_a_refused_name_comes_with_its_reason_and_a_cure(name, refusal):
    assert check_name(name, reserved=RESERVED_NAMES) == refusal


@pytest.mark.parametrize("key", ["tenant", "job_name", "connector_type", "dagster/x", "a b", ""])
def test_tag_keys_that_are_set_for_the_user_are_refused(key):
    assert check_tag_key(key) is not None


@pytest.mark.parametrize(
    ("name", "expected"), [("A_1", True), ("_x", True), ("1A", False), ("A-B", False), ("", False)]
)
def test_environment_variables_have_names_that_a_shell_knows(name, expected):
    assert is_variable_name(name) is expected


@pytest.mark.parametrize("name", ["retries", "config_problems", "users__sensor", "type", "a-b"])
def test_a_schedule_cannot_have_a_name_that_a_sensor_may_have_in_dagster(name):
    assert check_schedule_name(name) is not None


@pytest.mark.parametrize("name", ["retry", "my_retries", "users_sensor", "__sensor_of_doors"])
def test_names_that_only_look_like_those_of_sensors_are_free(name):
    assert check_schedule_name(name) is None
