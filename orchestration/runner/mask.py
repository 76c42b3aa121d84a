"""Masking: the values of secrets never leave the runner, in no form in which programs print them."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestration.domain.events import JsonValue

MASK = "***"
SHORTEST_SECRET = 4
# What System.Text.Json writes as \uXXXX although JSON does not ask for it; keys hold many a `+`.
_DOTNET_ESCAPED = re.compile("[\"&'+<>`]")


class Masker:
    """Replaces the values of secrets by `***`: as they are, line by line, in base64 (at any
    offset, both alphabets), URL-encoded and JSON-escaped. Values below four characters are kept.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        self._forms = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, self._forms)))
        self._longest = max(map(len, self._forms), default=1)

    def mask(self, text: str) -> str:
        """`text` without secrets; it should end where a line ends, see `mask_start`."""
        # A plain search is much faster than the pattern, and a hit is rare.
        if any(form in text for form in self._forms):
            return self._pattern.sub(MASK, text)
        return text

    def mask_start(self, text: str) -> tuple[str, str]:
        """The masked part of `text` that cannot change whatever follows, and the rest as it is."""
        cut = max(0, len(text) - self._longest + 1)
        for match in self._pattern.finditer(text) if self._forms else ():
            if match.start() >= cut:
                break
            cut = max(cut, match.end())
        return self.mask(text[:cut]), text[cut:]

    def mask_json(self, value: JsonValue) -> JsonValue:
        """`value` with each string in it masked, keys too; a number whose text is a secret becomes
        the text `***`.
        """
        match value:
            case str():
                return self.mask(value)
            case list():
                return [self.mask_json(item) for item in value]
            case dict():
                return {self.mask(key): self.mask_json(item) for key, item in value.items()}
            case bool() | None:
                return value
            case int() | float():
                return MASK if json.dumps(value) in self._forms else value


def _forms(secret: str) -> Iterator[str]:
    """The single-line forms of `secret` that are worth masking."""
    value = secret.strip()
    if len(value) < SHORTEST_SECRET:
        return
    forms = [*map(str.strip, value.split("\n")), *_base64_forms(value), *_escaped_forms(value)]
    yield from (form for form in forms if len(form) >= SHORTEST_SECRET and "\n" not in form)


def _base64_forms(value: str) -> Iterator[str]:
    """The part of the encoding that depends on `value` alone, at each of the three offsets that it
    may have in a longer text, such as `user:password` of HTTP basic authentication.
    """
    data = value.encode(errors="surrogateescape")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(data).decode()
        yield encode(data).decode().rstrip("=")
        for offset in range(3):
            encoded = encode(bytes(offset) + data).decode()
            start = (0, 2, 3)[offset]
            whole = (offset + len(data)) * 8 // 6
            yield encoded[start:whole]


def _escaped_forms(value: str) -> Iterator[str]:
    data = value.encode(errors="surrogateescape")
    yield data.decode(errors="replace")
    for encoded in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield encoded
        yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)
    for escaped in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        yield escaped
        yield escaped.replace("/", "\\/")
    yield _DOTNET_ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04X}", value.replace("\\", "\\\\"))
