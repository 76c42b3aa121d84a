"""The structured events in the output of a connector process."""

from __future__ import annotations

import json
from typing import cast

from orchestration.domain.events import EVENT_TYPES, ConnectorEvent, JsonValue


def parse_event(line: str) -> ConnectorEvent | None:
    """The event that `line` is; None for free text and for JSON that is no known event.

    `NaN` and `Infinity`, which Python programs write although JSON has no such numbers, become
    null.
    """
    text = line.strip()
    if not text.startswith("{") or '"event_type"' not in text:
        return None
    try:
        value = cast("JsonValue", json.loads(text, parse_constant=lambda _: None))
    except (ValueError, RecursionError):
        return None
    fields = value if isinstance(value, dict) else {}
    event_type = fields.pop("event_type", None)
    if not isinstance(event_type, str) or event_type not in EVENT_TYPES:
        return None
    return ConnectorEvent(event_type=event_type, fields=fields)
