"""Variables at run time: what a process inherits, and what the references of a job stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from orchestration.domain.references import references, substitute
from orchestration.runner.mask import SHORTEST_SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.domain.events import JsonValue
    from orchestration.runner.secrets import SecretProvider

_PROXIES = ("all_proxy", "http_proxy", "https_proxy", "no_proxy")
_PUBLIC = frozenset(("PATH", "HOME", "LANG", "TZ", "TMPDIR"))
_INHERITED = frozenset(
    (
        *_PUBLIC,
        *_PROXIES,
        *map(str.upper, _PROXIES),
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    )
)


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of `environ` that every child process gets."""
    return {
        name: value
        for name, value in environ.items()
        if name in _INHERITED or name.startswith("LC_")
    }


def proxy_passwords(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The passwords in the proxy URLs of `environ`, as they stand there and decoded, each once."""
    found: dict[str, None] = {}
    for name, value in environ.items():
        if name.lower() in _PROXIES:
            userinfo = value.rpartition("://")[2].rpartition("@")[0]
            password = userinfo.partition(":")[2]
            found |= dict.fromkeys(filter(_is_long, (password, unquote(password))))
    return tuple(found)


class Resolver:
    """Resolves references, and keeps what came from outside the files and what is missing.

    A name is looked up in `overrides`, then in what was declared (the latest first), then in
    `source`, then in `environ`. All values of `overrides` are secrets, and those that are taken
    from `source` and `environ`, but for the plain ones of the inherited variables such as `HOME`.
    `missing` maps each name without value to the places that need it.
    """

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        overrides: Mapping[str, str],
        source: SecretProvider | None = None,
    ) -> None:
        self._environ = environ
        self._overrides = overrides
        self._source = source
        self.declared: dict[str, str] = {}
        self.missing: dict[str, list[str]] = {}
        self._secrets = {value: None for value in overrides.values() if _is_long(value)}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values from outside, each once; those of `source` and `environ` if used so far."""
        return tuple(self._secrets)

    def declare(self, env: Mapping[str, str], place: str) -> None:
        """Resolve the values of `env` with what is known so far, and then add them to it."""
        self.declared |= {name: self.text(value, f"{place}.{name}") for name, value in env.items()}

    def text(self, text: str, place: str) -> str:
        """`text` with its references resolved; as it is if one is missing, which is kept."""
        missing = [
            reference.name
            for reference in references(text)
            if reference.default is None and self._find(reference.name) is None
        ]
        for name in missing:
            self.missing.setdefault(name, []).append(place)
        return text if missing else substitute(text, self._find)

    def value(self, value: JsonValue, place: str) -> JsonValue:
        """`value` with each text in it resolved; keys stay as they are."""
        match value:
            case str():
                return self.text(value, place)
            case list():
                return [self.value(item, f"{place}[{at}]") for at, item in enumerate(value)]
            case dict():
                return {key: self.value(item, f"{place}.{key}") for key, item in value.items()}
            case _:
                return value

    def _find(self, name: str) -> str | None:
        for scope in (self._overrides, self.declared):
            if name in scope:
                return scope[name]
        value = self._source.find(name) if self._source else None
        if value is None:
            value = self._environ.get(name)
            if name in _PUBLIC or name.startswith("LC_"):
                return value
        if value is not None and _is_long(value):
            self._secrets[value] = None
        return value


def _is_long(value: str) -> bool:
    return len(value) >= SHORTEST_SECRET
