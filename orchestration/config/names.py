"""What Dagster, paths and processes accept as names, tags and owners.

The rules of Dagster are copied from its 1.13 source (`_core/definitions/utils.py`,
`_utils/tags.py`, `_core/utils.py`), because importing it costs more than validating a thousand
files. A test holds them against the installed Dagster.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass

from orchestration.domain.describe import OWN_SENSORS, SENSOR_SUFFIX

LONGEST_NAME = 63
AUTOMATIC_TAGS = ("tenant", "job_name", "connector_type")
RESERVED_NAMES = frozenset(keyword.kwlist) | frozenset(
    [
        "context",
        "conf",
        "config",
        "meta",
        "arg_dict",
        "dict",
        "input_arg_dict",
        "output_arg_dict",
        "int",
        "str",
        "float",
        "bool",
        "input",
        "output",
        "type",
    ]
)
_NAME = re.compile(r"[A-Za-z0-9_]+")
_JOB_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_TAG_KEY = re.compile(r"(?:[A-Za-z0-9_.-]{1,63}/)?[A-Za-z0-9_.-]{1,63}")
_TAG_VALUE = re.compile(r"[A-Za-z0-9_.-]{0,63}")
_EMAIL = re.compile(r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Z|a-z]{2,7}\b")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OTHER = re.compile(r"[^A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a text is refused, and what to write."""

    reason: str
    cure: str


def check_name(value: str, *, reserved: frozenset[str] = frozenset()) -> Refusal | None:
    """Why `value` cannot be part of an asset key or the name of a group, a job or a schedule."""
    if len(value) > LONGEST_NAME:
        return _too_long(value)
    if not _NAME.fullmatch(value):
        cure = f"use letters, digits and `_`: `{_suggest(value)}`"
        return Refusal("only letters, digits and `_` are allowed", cure)
    if value in reserved:
        return Refusal("Dagster reserves this word", f"add something: `{value}_data`")
    return None


def check_schedule_name(value: str) -> Refusal | None:
    """Why `value` cannot be the name of a schedule, which no two in Dagster share, nor a schedule and
    a sensor.
    """
    if refusal := check_name(value, reserved=RESERVED_NAMES):
        return refusal
    if value in OWN_SENSORS:
        return Refusal("a sensor that is always there has it", f"add something: `{value}_data`")
    if value.endswith(SENSOR_SUFFIX):
        return Refusal(f"sensors have names that end in `{SENSOR_SUFFIX}`", "leave the ending out")
    return None


def check_job_name(value: str) -> Refusal | None:
    """Why `value` cannot be the name of a job, which is also a folder and a tag."""
    if len(value) > LONGEST_NAME:
        return _too_long(value)
    if not _JOB_NAME.fullmatch(value):
        return Refusal(
            "only letters, digits, `_`, `.` and `-` are allowed, and no `.` or `-` first",
            f"give the job a `name`, such as `{_suggest(value)}`",
        )
    return None


def check_tag_key(key: str) -> Refusal | None:
    """Why `key` cannot be the key of a tag."""
    if key.startswith(("dagster/", "orchestration/")):
        return Refusal("the prefix is reserved", "use a prefix of your own, or none")
    if not _TAG_KEY.fullmatch(key):
        return Refusal(
            "letters, digits, `_`, `.` and `-` are allowed, at most 63 of them",
            "shorten the key, or replace the other characters",
        )
    if key in AUTOMATIC_TAGS:
        return Refusal("it is set automatically", "remove it, or choose another key")
    return None


def check_tag_value(value: str) -> Refusal | None:
    """Why `value` cannot be the value of a tag."""
    if _TAG_VALUE.fullmatch(value):
        return None
    return Refusal(
        "letters, digits, `_`, `.` and `-` are allowed, at most 63 of them",
        "shorten the value, or replace the other characters",
    )


def is_owner(value: str) -> bool:
    """Whether Dagster takes `value` as an owner: an e-mail address, or `team:name`."""
    team = value.removeprefix("team:")
    return bool(_EMAIL.fullmatch(value)) or (team != value and bool(team))


def is_variable_name(value: str) -> bool:
    """Whether `value` can name an environment variable."""
    return _VARIABLE.fullmatch(value) is not None


def normalise(text: str) -> str:
    """`text` with all characters that names cannot hold replaced by `_`, never empty."""
    return _OTHER.sub("_", text)[:LONGEST_NAME] or "_"


def _suggest(value: str) -> str:
    return normalise(value).strip("_") or "name"


def _too_long(value: str) -> Refusal:
    return Refusal(f"it has {len(value)} characters", f"use at most {LONGEST_NAME}")
