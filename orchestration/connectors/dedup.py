"""Which records have come before: a window over keys, bounded by time and by count (002-19)."""

from __future__ import annotations

from collections import deque
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, cast

from orchestration.connectors.errors import OptionsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestration.connectors.source import Batch


class Window:
    """The keys that were committed, and those of this load, with the file that brought each.
    `known` are the former, the oldest first; a key beyond the last `max_keys` is forgotten.
    `doubled` are, of each file that brought such a key again, the files that had brought it before.
    """

    def __init__(self, known: Iterable[tuple[bytes, str | None]], max_keys: int) -> None:
        self._files = dict(known)
        self._order = deque(self._files)
        self._max_keys = max_keys
        self.fresh: deque[tuple[bytes, str | None]] = deque(maxlen=max_keys)
        self.doubled: dict[str, set[str]] = {}

    def admit(self, key: bytes, file: str | None) -> bool:
        """Whether the key is new; from now on it is not. `file` is where it came from."""
        if key in self._files:
            first = self._files[key]
            if file and first and first != file:
                self.doubled.setdefault(file, set()).add(first)
            return False
        self._files[key] = file
        self._order.append(key)
        self.fresh.append((key, file))
        if len(self._order) > self._max_keys:
            del self._files[self._order.popleft()]
        return True


def keys_of(batch: Batch, names: Sequence[str]) -> list[bytes | None]:
    """The key of each record; None where it lacks a value, since then it is like no other.

    Raises:
        OptionsError: none of the records has a field that is named.
    """
    columns: list[list[Any]]
    if isinstance(batch, list):
        records = cast("list[dict[str, Any]]", batch)
        missing = [name for name in names if not any(name in record for record in records)]
        columns = [[record.get(name) for record in records] for name in names]
    else:
        missing = [name for name in names if name not in batch.column_names]
        columns = [batch.column(name).to_pylist() for name in names if not missing]
    if missing:
        raise OptionsError(
            f"`dedup.key` names `{missing[0]}`, which the records do not have",
            help="name fields as the source has them",
        )
    return [_digest(names, values) for values in zip(*columns, strict=True)]


def _digest(names: Sequence[str], values: tuple[Any, ...]) -> bytes | None:
    """Another one for other names: what was seen under another key says nothing about this one."""
    if None in values:
        return None
    text = repr((tuple(names), values))
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
