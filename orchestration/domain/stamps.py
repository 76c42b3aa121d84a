"""Instants as they are kept between runs."""

from __future__ import annotations

from datetime import datetime


def parse_stamp(text: str) -> datetime:
    """The instant that `isoformat` has made a text of.

    Raises:
        ValueError: it is none, or has no offset, and could not be compared with those that have.
        TypeError: it is no text.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"this instant has no offset: {text}")
    return instant
