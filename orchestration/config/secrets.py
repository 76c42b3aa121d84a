"""Literal secrets in files: found, named by their key, and never shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from orchestration.config.document import Place
    from orchestration.domain.events import JsonValue
    from orchestration.domain.problem import Problem

_NAME = (
    r"(?:passwords?|passwd|passphrase|(?<![A-Za-z])pass|pwd|secret|token|authorization|credentials?"
    r"|(?:api|access|private|secret)[-_]?key)"
)
_SECRET_KEY = re.compile(rf"(?<!page_)(?<!next_)(?<!cursor_){_NAME}\Z", re.IGNORECASE)
_ARGUMENT = re.compile(rf"(--?(?:[\w-]*-)?{_NAME})(?:=(?P<value>.+))?", re.IGNORECASE)
_URL = re.compile(r"://[^\s/:@'\"]*:(?P<value>[^\s/@'\"]+)@")
_TOKENS = {
    "an access key of AWS": re.compile(r"\b(?P<value>(?:AKIA|ASIA)[0-9A-Z]{16})\b"),
    "a token of GitHub": re.compile(r"\b(?P<value>gh[pousr]_\w{36,}|github_pat_\w{40,})"),
    "a token of GitLab": re.compile(r"\b(?P<value>glpat-[\w-]{20,})"),
    "a token of Slack": re.compile(r"\b(?P<value>xox[abeprs]-[\w-]{10,})"),
    "a key of Stripe": re.compile(r"\b(?P<value>[rs]k_(?:live|test)_\w{16,})"),
    "a key of Google": re.compile(r"\b(?P<value>AIza[\w-]{35})"),
    "a signed web token": re.compile(r"\b(?P<value>eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+)"),
    "a bearer token": re.compile(r"(?:^|:)\s*[Bb]earer\s+(?P<value>\S+)\s*\Z"),
    "a private key": re.compile(r"(?P<value>-----BEGIN [A-Z ]*PRIVATE KEY-----.*)", re.DOTALL),
}
_DEFAULT = re.compile(r"\$\{(?P<name>\w*):?-(?P<value>[^}]+)")
_MARKERS = tuple(
    b"pass pwd secret token key authorization credential bearer :// akia asia ghp_ gho_ ghu_ ghs_ ghr_ github_pat "
    b"glpat- xox sk_ rk_ aiza eyj -----begin".split()
)
_IN_A_LINE = (
    re.compile(rf"{_NAME}[\"']?\s*[:=]\s*(?P<value>[^\s#].*)", re.IGNORECASE),
    _URL,
    *_TOKENS.values(),
    re.compile(r"\bBearer\s+(?P<value>[^\s\"'`,]+)"),
    re.compile(r"(?=\S*[0-9])(?=\S*[A-Z])(?=\S*[a-z])(?P<value>[A-Za-z0-9+/=_-]{32,})"),
)
_SHORTEST = 4
HIDDEN = "****"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A literal secret at `place`. `kind` is what it looks like: `password in a URL`, the name of
    a known token, or empty for the value of a key (or a command line option) `key` that names a
    secret. `value` is for masking only.
    """

    place: Place
    key: str
    kind: str
    value: str


URL_PASSWORD = "a password in a URL"  # noqa: S105 - the name of a finding


def may_hold_secrets(content: bytes) -> bool:
    """Whether a search is worth its time: cheap, and never wrongly false."""
    lower = content.lower()
    return any(marker in lower for marker in _MARKERS)


def is_secret_key(key: str) -> bool:
    """Whether values of such a key are secrets: `password`, `auth_token`, `api_key`."""
    return _SECRET_KEY.search(key) is not None


def find_secrets(data: JsonValue) -> Iterator[Finding]:
    """The literal secrets in `data`, in the order of the file; references are none, but
    for the default that they may bring.
    """
    for place, previous, value in _scalars(data, (), None):
        key = str(next((step for step in reversed(place) if isinstance(step, str)), ""))
        text = str(value)
        if not text or isinstance(value, bool):
            continue
        if finding := _judge(place, key, previous, text):
            yield finding


def mask_line(line: str) -> str:
    """`line` with whatever looks like a secret replaced by stars.

    The length stays, so that a caret below still points at its column.
    """
    for pattern in _IN_A_LINE:
        line = pattern.sub(_stars, line)
    return line


def mask(line: str, secrets: Iterable[str]) -> str:
    """The line with the `secrets` in it starred, as long as it was."""
    for secret in secrets:
        line = line.replace(secret, "*" * len(secret))
    return line


def mask_problem(problem: Problem, secrets: Collection[str]) -> Problem:
    """The problem without the `secrets` in any of its texts."""
    return replace(
        problem,
        message=_mask(problem.message, secrets),
        help=_mask(problem.help, secrets),
        hint=_mask(problem.hint, secrets),
        source_line=mask(problem.source_line, secrets),
    )


def maskable(value: str) -> list[str]:
    """The parts of a secret value that can be searched for in lines: its lines, if not too short."""
    return [line.strip() for line in value.splitlines() if len(line.strip()) >= _SHORTEST]


def _scalars(
    value: JsonValue, place: Place, previous: JsonValue
) -> Iterator[tuple[Place, JsonValue, str | float | bool]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _scalars(item, (*place, key), None)
    elif isinstance(value, list):
        before: JsonValue = None
        for index, item in enumerate(value):
            yield from _scalars(item, (*place, index), before)
            before = item
    elif value is not None:
        yield place, previous, value


def _judge(place: Place, key: str, previous: JsonValue, text: str) -> Finding | None:
    for kind, pattern in (*_TOKENS.items(), (URL_PASSWORD, _URL)):
        match = pattern.search(text)
        if match and (value := _literal(match["value"])):
            return Finding(place=place, key=key, kind=kind, value=value)
    if isinstance(place[-1], int) and not is_secret_key(key):
        return _judge_argument(place, previous, text)
    value = _literal(text) if is_secret_key(key) else _secret_default(text)
    return Finding(place=place, key=key, kind="", value=value) if value else None


def _judge_argument(place: Place, previous: JsonValue, text: str) -> Finding | None:
    """`--password=x`, and `x` after `--password`, in a list of arguments."""
    match = _ARGUMENT.fullmatch(text)
    option = _ARGUMENT.fullmatch(previous) if isinstance(previous, str) else None
    if match:
        key, value = match[1], _literal(match["value"] or "")
    elif option and not option["value"] and not text.startswith("-"):
        key, value = option[1], _literal(text)
    else:
        return None
    return Finding(place=place, key=key, kind="", value=value) if value else None


def _literal(text: str) -> str:
    """What stands literally in a secret text: all of it, or the default of its reference."""
    if "{{" in text:
        return ""
    if "${" not in text:
        return text
    match = _DEFAULT.search(text)
    return match["value"] if match else ""


def _secret_default(text: str) -> str:
    """The default of a variable whose name says that it is a secret: `${DB_PASSWORD:-x}`."""
    defaults = (m for m in _DEFAULT.finditer(text) if is_secret_key(m["name"]))
    return next((match["value"] for match in defaults), "")


def _mask(text: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def _stars(match: re.Match[str]) -> str:
    value = _literal(match["value"])
    return match[0].replace(value, re.sub(r"\S", "*", value)) if value else match[0]
