"""What an unquoted YAML scalar means, and where YAML 1.1 and 1.2 readers disagree about it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from orchestration.config import yaml_rules

if TYPE_CHECKING:
    from orchestration.config.rules import Rule

Scalar = str | int | float | bool | None

_SPECIAL = re.compile(r"(?:[-+.0-9~]|(?:yes|no|on|off|true|false|null)\Z|\Z)", re.IGNORECASE)
_CONSTANTS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LOOSE_BOOLEANS = {"yes": True, "on": True, "no": False, "off": False}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_HEXADECIMAL = re.compile(r"[-+]?0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+][0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d"
    r"|\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?",
    re.ASCII,
)
_OCTAL = re.compile(r"[-+]?0_*[0-7][0-7_]*")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_SEXAGESIMAL = re.compile(
    r"[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*"
)
_UNDERSCORES = re.compile(r"[-+]?(?=[^_]*_)[0-9][0-9_]*(?:\.[0-9_]*)?")
_BINARY = re.compile(r"[-+]?0b_*[01][01_]*")
_NEW_OCTAL = re.compile(r"0o[0-7]+")
_BARE_EXPONENT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)[eE][-+]?[0-9]+")
_LONGEST_NUMBER = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """A scalar that readers disagree about: `first` is its meaning in YAML 1.1, `second` in 1.2.

    `meant` is how the likely meaning is written so that all agree.
    """

    rule: Rule
    first: str = ""
    second: str = ""
    meant: str = ""


@lru_cache(maxsize=8192)
def read_plain(text: str) -> tuple[Scalar, Trap | None]:
    """The value of an unquoted scalar, and the trap that it is, if any.

    The value of a trap is its likely meaning, so that checking can go on; it is never used.
    """
    if not _SPECIAL.match(text):
        return text, None
    if text in _CONSTANTS:
        return _CONSTANTS[text], None
    if text.lower() in _LOOSE_BOOLEANS:
        return _loose_boolean(text)
    if len(text) <= _LONGEST_NUMBER:
        return _number(text)
    is_number = text.strip("+-").isdecimal()
    return (0, Trap(rule=yaml_rules.NOT_FINITE)) if is_number else (text, None)


def _loose_boolean(text: str) -> tuple[bool, Trap]:
    value = _LOOSE_BOOLEANS[text.lower()]
    meant = "true" if value else "false"
    trap = Trap(rule=yaml_rules.AMBIGUOUS_BOOLEAN, first=meant, second="text", meant=meant)
    return value, trap


def _number(text: str) -> tuple[Scalar, Trap | None]:
    if _INTEGER.fullmatch(text):
        return int(text), None
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 16), None
    if _FLOAT.fullmatch(text):
        value = float(text)
        return (value, None) if math.isfinite(value) else (0, Trap(rule=yaml_rules.NOT_FINITE))
    if _NOT_FINITE.fullmatch(text):
        return 0, Trap(rule=yaml_rules.NOT_FINITE)
    if _DATE.fullmatch(text):
        return text, Trap(rule=yaml_rules.UNQUOTED_DATE, first="a date", second="text")
    return _odd_number(text)


def _odd_number(text: str) -> tuple[Scalar, Trap | None]:
    """Numbers to one version of YAML and texts, or other numbers, to the other."""
    digits = text.replace("_", "")
    if _OCTAL.fullmatch(text):
        value, second = int(digits, 8), "text" if "_" in text else str(int(text))
        return (value, None) if str(value) == second else _disagree(value, second=second)
    if _LEADING_ZERO.fullmatch(text):
        return _disagree(int(text), first="text", second=str(int(text)))
    if _SEXAGESIMAL.fullmatch(text):
        return _disagree(_base_sixty(digits))
    if _UNDERSCORES.fullmatch(text):
        return _disagree(float(digits) if "." in digits else int(digits))
    return _odd_notation(text, digits)


def _odd_notation(text: str, digits: str) -> tuple[Scalar, Trap | None]:
    if _BINARY.fullmatch(text):
        return _disagree(int(digits, 2))
    if _NEW_OCTAL.fullmatch(text):
        return _disagree(int(text, 8), first="text", second=str(int(text, 8)))
    if _BARE_EXPONENT.fullmatch(text):
        return _bare_exponent(text)
    return text, None


def _disagree(value: float, *, first: str = "", second: str = "text") -> tuple[Scalar, Trap]:
    trap = Trap(
        rule=yaml_rules.AMBIGUOUS_NUMBER,
        first=first or f"{value:.15g}",
        second=second,
        meant=f"{value:.15g}",
    )
    return value, trap


def _bare_exponent(text: str) -> tuple[Scalar, Trap]:
    value = float(text)
    if not math.isfinite(value):
        return 0, Trap(rule=yaml_rules.NOT_FINITE)
    return _disagree(value, first="text", second=f"{value:.15g}")


def _base_sixty(digits: str) -> float:
    """`1:30` is 90: the parts are digits of base 60 (YAML 1.1, int and float types)."""
    value = 0.0
    for part in digits.strip("+-").split(":"):
        value = value * 60 + float(part)
    value = -value if digits.startswith("-") else value
    return int(value) if value == int(value) else value
