"""JSON as strict as the standard, with numbers that targets can hold."""

from __future__ import annotations

import json
from typing import Any, NoReturn

_SAFE_DIGITS = 18
_LARGEST = 2**63 - 1


def parse_json(text: bytes) -> Any:
    """The value of a JSON text in UTF-8, -16 or -32.

    A whole number beyond 64 bits comes as its text: no type of a table would keep it exactly.

    Raises:
        ValueError: the text is no JSON, or holds half a character (a lone surrogate).
        RecursionError: it is nested too deeply.
    """
    value = json.loads(text, parse_int=_whole, parse_constant=_refuse)
    if b"\\ud" in text or b"\\uD" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _whole(digits: str) -> int | str:
    if len(digits) <= _SAFE_DIGITS:
        return int(digits)
    return int(digits) if len(digits) < 21 and abs(int(digits)) <= _LARGEST else digits


def _refuse(name: str) -> NoReturn:
    message = f"{name} is no number"
    raise ValueError(message)
