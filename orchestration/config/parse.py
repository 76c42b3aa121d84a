"""From the bytes of a YAML file to a `Document`, without trust in what the file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yaml import CSafeLoader
from yaml.error import MarkedYAMLError, YAMLError
from yaml.reader import ReaderError

from orchestration.config import yaml_rules
from orchestration.config.build import Builder, StopError
from orchestration.config.document import Document, split_lines
from orchestration.config.files import MAX_BYTES
from orchestration.config.syntax import explain

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestration.domain.problem import Location

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parse(
    content: bytes, *, file: str, what: str = "a file", date_keys: Collection[str] = ()
) -> Document:
    """The document that `content` holds, with all problems of its YAML; raises for none of them.

    `file` names it in locations; `what` says in messages what it should be ("a job file"). The
    values of `date_keys` may be dates without quotes, which are texts here.
    """
    document = Document(file=file, content=content.removeprefix(_BYTE_ORDER_MARK))
    if _is_readable(document):
        _build(document, what, date_keys)
    return document


def _build(document: Document, what: str, date_keys: Collection[str]) -> None:
    builder = Builder(document, what, date_keys)
    try:
        builder.read(CSafeLoader(document.content))
    except StopError:
        return
    except ReaderError as error:
        before = document.content[: error.position].decode(errors="replace")
        document.report_at(
            yaml_rules.SYNTAX,
            _end_of(document, before),
            reason=f"the character U+{error.character:04X} is not allowed in a file",
            cure="remove it, or write it as an escape in double quotes",
        )
    except MarkedYAMLError as error:
        explain(document, error)
    except YAMLError as error:
        document.report(yaml_rules.SYNTAX, reason=str(error), cure="check the whole file")
    else:
        document.complete = document.root is not None


def _is_readable(document: Document) -> bool:
    if len(document.content) > MAX_BYTES:
        document.content = b""
        document.report(yaml_rules.TOO_LARGE, limit=MAX_BYTES)
        return False
    try:
        document.content.decode()
    except UnicodeDecodeError as error:
        _report_encoding(document, error)
        return False
    return True


def _report_encoding(document: Document, error: UnicodeDecodeError) -> None:
    location = _end_of(document, document.content[: error.start].decode())
    if document.content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        reason = "it starts like UTF-16"
    else:
        reason = f"the byte 0x{document.content[error.start]:02x} does not belong there"
    document.report_at(yaml_rules.NOT_UTF8, location, reason=reason)


def _end_of(document: Document, before: str) -> Location:
    """The location of the character that follows the text `before`."""
    lines = split_lines(before)
    return document.location_at(len(lines) - 1, len(lines[-1]))
