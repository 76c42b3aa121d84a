"""What a process says: cut into lines, masked, handed on at once, and what is kept of it."""

from __future__ import annotations

import codecs
import json
from enum import StrEnum
from typing import TYPE_CHECKING

from orchestration.domain.events import ConnectorEvent, parse_table
from orchestration.observability import parse_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestration.domain.events import JsonValue, TableReport
    from orchestration.runner.mask import Masker

TAIL_BYTES = 64 * 1024
LONGEST_LINE = 1024 * 1024


class Stream(StrEnum):
    """The output that a line was written to."""

    STDOUT = "stdout"
    STDERR = "stderr"


class Tail:
    """The end of a text that grows, in bounded memory."""

    def __init__(self, limit: int = TAIL_BYTES) -> None:
        self._limit = limit
        self._parts: list[str] = []
        self._size = 0

    def add(self, text: str) -> None:
        """Append `text`, which ends with a line break."""
        self._parts.append(text)
        self._size += len(text)
        if self._size > 4 * self._limit:
            # One character more than can be needed shows that something was cut off.
            self._parts = ["".join(self._parts)[-self._limit - 1 :]]
            self._size = len(self._parts[0])

    @property
    def text(self) -> str:
        """At most the last `limit` bytes, from the start of a line if one is near, else from the
        start of a character. Without the last line break.
        """
        data = "".join(self._parts).encode(errors="replace")
        if len(data) > self._limit:
            data = data[-self._limit :]
            data = data[data.find(b"\n", 0, self._limit // 16) + 1 :]
        return data.decode(errors="ignore").removesuffix("\n")


class LineCutter:
    """Cuts a stream of bytes into lines, ended by a line feed; what is no UTF-8 becomes U+FFFD.

    A line above `longest` characters comes in pieces, and none of them ends within a secret.
    """

    def __init__(self, masker: Masker, *, longest: int = LONGEST_LINE) -> None:
        self._masker = masker
        self._longest = longest
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun: list[str] = []
        self._begun_size = 0

    def cut(self, data: bytes) -> list[tuple[str, str]]:
        """The lines that `data` completes, each as it is and masked. Empty `data` is the end."""
        text = self._decoder.decode(data, not data)
        block, newline, rest = text.rpartition("\n")
        lines = self._pairs(self._take() + block) if newline else []
        self._begun.append(rest)
        self._begun_size += len(rest)
        if not data and self._begun_size:
            lines += self._pairs(self._take())
        elif self._begun_size > self._longest:
            masked, rest = self._masker.mask_start(self._take())
            self._begun, self._begun_size = [rest], len(rest)
            lines.append((masked, masked))
        return lines

    def _take(self) -> str:
        text = "".join(self._begun)
        self._begun, self._begun_size = [], 0
        return text

    def _pairs(self, block: str) -> list[tuple[str, str]]:
        block = block.replace("\r\n", "\n").removesuffix("\r")
        masked = self._masker.mask(block)
        lines = block.split("\n")
        return list(zip(lines, lines if masked is block else masked.split("\n"), strict=True))


class Transcript:
    """Hands on what a process says, and keeps what the result of an attempt says of it.

    A callback that raised is not called again: what comes afterwards is dropped.
    """

    def __init__(
        self,
        masker: Masker,
        *,
        on_output: Callable[[Stream, str], None],
        on_event: Callable[[ConnectorEvent], None],
    ) -> None:
        self._masker = masker
        self._cutters = {stream: LineCutter(masker) for stream in Stream}
        self._on_output = on_output
        self._on_event = on_event
        self._muted = False
        self._stderr = Tail()
        self._errors = Tail()
        self.metrics: Mapping[str, JsonValue] = {}
        self.table: TableReport | None = None

    @property
    def stderr_tail(self) -> str:
        """The last 64 KiB of stderr, masked."""
        return self._stderr.text

    @property
    def error_text(self) -> str:
        """What the `metrics_error` events said, and what `add_error` was told; the last 64 KiB."""
        return self._errors.text

    def feed(self, stream: Stream, data: bytes) -> None:
        """Take what was read from `stream`; empty `data` is its end."""
        lines = self._cutters[stream].cut(data)
        if stream is Stream.STDERR and lines:
            self._stderr.add("".join([f"{masked}\n" for _, masked in lines]))
        was_muted, self._muted = self._muted, True
        for line, masked in lines:
            event = parse_event(line) if stream is Stream.STDOUT else None
            if event is not None:
                self._take_event(event, muted=was_muted)
            elif not was_muted:
                self._on_output(stream, masked)
        self._muted = was_muted

    def add_error(self, text: str) -> None:
        """Record `text` as an error of the attempt."""
        self._errors.add(f"{text}\n")

    def note(self, text: str) -> None:
        """Tell the user something about the process, among its stderr but not in the tail of it."""
        if not self._muted:
            self._on_output(Stream.STDERR, text)

    def tell(self, event_type: str, fields: Mapping[str, JsonValue]) -> None:
        """Give the user an event of the runner itself, as if the process had written it."""
        if not self._muted:
            self._on_event(ConnectorEvent(event_type=event_type, fields=fields))

    def _take_event(self, raw: ConnectorEvent, *, muted: bool) -> None:
        fields = {
            self._masker.mask(key): self._masker.mask_json(value)
            for key, value in raw.fields.items()
        }
        event = ConnectorEvent(event_type=raw.event_type, fields=fields)
        match event.event_type:
            case "metrics_complete":
                self.metrics = fields
            case "metrics_error":
                error = fields.get("message") or fields.get("error")
                if error:
                    self.add_error(error if isinstance(error, str) else json.dumps(error))
            case _:
                self.table = parse_table(event) or self.table
        if not muted:
            self._on_event(event)
