"""Problems as SARIF 2.1.0, the format of code scanning (OASIS, errata 01)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from orchestration import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from orchestration.domain.problem import Location, Problem

JsonObject = dict[str, object]
_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_ROOT = "WORKSPACE"


def render_sarif(problems: Sequence[Problem], *, root: Path) -> JsonObject:
    """The SARIF log of one run with these problems; file names start from `root`, an absolute
    folder, and columns count characters.
    """
    codes = sorted({problem.code for problem in problems})
    driver = {
        "name": "orchestrate",
        "semanticVersion": __version__,
        "rules": [{"id": code} for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"uri": f"{root.as_uri()}/"}},
        "results": [_result(problem, codes.index(problem.code)) for problem in problems],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(problem: Problem, rule_index: int) -> JsonObject:
    return {
        "ruleId": problem.code,
        "ruleIndex": rule_index,
        "level": str(problem.severity),
        "message": {"text": f"{problem.message}\nhelp: {problem.help}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": _artifact(problem.location.file),
                    "region": _region(problem.location),
                }
            }
        ],
    }


def _artifact(file: str) -> JsonObject:
    if file.startswith("/"):
        return {"uri": f"file://{quote(file)}"}
    return {"uri": quote(file), "uriBaseId": _ROOT}


def _region(location: Location) -> JsonObject:
    return {
        "startLine": location.line,
        "startColumn": location.column,
        "endColumn": location.column + location.length,
    }
