"""Checks that job files and runner.yaml share; each reports into the document."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.config import field_rules, names, workspace_rules
from orchestration.config.secrets import (
    URL_PASSWORD,
    find_secrets,
    mask_line,
    maskable,
    may_hold_secrets,
)
from orchestration.config.words import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.config.document import Document, Place
    from orchestration.config.files import Layout
    from orchestration.config.names import Refusal

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]+")


def refuse_name(
    document: Document, place: Place, value: str, role: str, refusal: Refusal | None
) -> None:
    """Report a refusal of `value` as `role` ("the name of a job"), if there is one."""
    if refusal:
        document.report(
            field_rules.BAD_NAME,
            place,
            value=show(value),
            role=role,
            reason=refusal.reason,
            cure=refusal.cure,
        )


def check_tags(
    document: Document, place: Place, tags: Mapping[str, str] | None, *, strict_values: bool
) -> None:
    """Check the tags at `place`; values of run tags may be any text (`strict_values` False)."""
    for key, value in (tags or {}).items():
        if refusal := names.check_tag_key(key):
            _refuse_tag(document, (*place, key), key, "the key of a tag", refusal, on_key=True)
        elif strict_values and (refusal := names.check_tag_value(value)):
            _refuse_tag(document, (*place, key), value, "the value of a tag", refusal)


def check_variables(document: Document, place: Place, env: Mapping[str, str] | None) -> None:
    """Check the names of the environment variables at `place`."""
    for key in env or ():
        if not names.is_variable_name(key):
            document.report(field_rules.BAD_VARIABLE_NAME, (*place, key), on="key", value=show(key))


def read_folder(document: Document, place: Place, text: str, layout: Layout) -> Path:
    """The folder that `text` means; the root where it is empty, or missing and reported."""
    if not text:
        return layout.root_path
    path = layout.resolve(text)
    if not layout.is_inside(path):
        document.report(workspace_rules.OUTSIDE_ROOT, place, path=show(text))
    elif not layout.files.is_folder(path):
        document.report(
            workspace_rules.MISSING_FILE, place, what="folder", path=show(text), looked=f"`{path}`"
        )
    return Path(path)


@lru_cache(maxsize=4096)
def pattern_fault(pattern: str) -> str:
    """Why `pattern` is no regular expression; empty if it is one."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return ""


def check_patterns(document: Document, place: Place, patterns: list[str]) -> None:
    """Check that each text of a list is a regular expression."""
    for index, pattern in enumerate(patterns):
        if fault := pattern_fault(pattern):
            document.report(
                field_rules.BAD_PATTERN, (*place, index), value=show(pattern), reason=fault
            )


def check_secrets(document: Document) -> None:
    """Report literal secrets, and let no message of the document show them."""
    if not may_hold_secrets(document.content):
        return
    findings = list(find_secrets(document.data))
    document.secrets.update(text for found in findings for text in maskable(found.value))
    for found in findings:
        key = mask_line(found.key)
        variable = _NOT_IN_NAMES.sub("_", key).strip("_").upper() or "SECRET"
        if found.kind == URL_PASSWORD:
            document.report(
                field_rules.PASSWORD_IN_URL, found.place, key=show(key), variable="PASSWORD"
            )
        elif found.kind:
            document.report(
                field_rules.KNOWN_TOKEN,
                found.place,
                key=key,
                kind=found.kind,
                variable=variable,
            )
        else:
            document.report(field_rules.LITERAL_SECRET, found.place, key=key, variable=variable)


def _refuse_tag(
    document: Document,
    place: Place,
    value: str,
    role: str,
    refusal: Refusal,
    *,
    on_key: bool = False,
) -> None:
    document.report(
        field_rules.BAD_TAG,
        place,
        on="key" if on_key else "value",
        value=show(value),
        role=role,
        reason=refusal.reason,
        cure=refusal.cure,
    )
