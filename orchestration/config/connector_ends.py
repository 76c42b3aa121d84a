"""From the connector fields of a job file to the two ends of a connector task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from orchestration.config import field_rules
from orchestration.config.translate import Translator
from orchestration.config.words import find_nearest, list_words, show, suggest
from orchestration.domain.job import ConnectorEnd

if TYPE_CHECKING:
    from collections.abc import Collection

    from pydantic import BaseModel

    from orchestration.config.catalog import ConnectorCatalog, Role
    from orchestration.config.document import Document
    from orchestration.config.job_file import JobFile

_NEARLY_THE_SAME = 0.8
"""From here on, a name is taken for a slip and not for a connector of another installation."""
_ROLES: tuple[Role, Role] = ("source", "target")


def read_ends(
    document: Document, file: JobFile, catalog: ConnectorCatalog, *, faulty: frozenset[str]
) -> tuple[ConnectorEnd, ConnectorEnd]:
    """The source and the target of a job.

    Options are checked where both connectors are installed; `faulty` keys have been reported.
    """
    connectors = {"source": file.source_connector, "target": file.target_connector}
    options = {"source": file.source or {}, "target": file.target or {}}
    models = {role: _find_model(document, role, connectors[role], catalog) for role in _ROLES}
    if all(models.values()):
        for role in sorted(set(_ROLES) - faulty):
            _check_options(document, role, models[role], options[role])
    source, target = (
        ConnectorEnd(connector=connectors[role], options=options[role]) for role in _ROLES
    )
    return source, target


def is_slip(name: str, available: Collection[str]) -> bool:
    """Whether an unknown name is that of a connector with a slip of the pen in it."""
    return find_nearest(name, available, cutoff=_NEARLY_THE_SAME) is not None


def _find_model(
    document: Document, role: Role, name: str, catalog: ConnectorCatalog
) -> type[BaseModel] | None:
    available = catalog.names(role)
    if name in available:
        return catalog.options_model(role, name)
    document.report(
        field_rules.MISSPELT_CONNECTOR
        if is_slip(name, available)
        else field_rules.UNAVAILABLE_CONNECTOR,
        (f"{role}_connector",),
        hint=suggest(name, available),
        role=role,
        name=show(name),
        available=list_words(available),
    )
    return None


def _check_options(
    document: Document, role: Role, model: type[BaseModel] | None, options: dict[str, object]
) -> None:
    if model is None:
        return
    try:
        model.model_validate(options)
    except ValidationError as error:
        translator = Translator(document, model, what="the options", prefix=(role,))
        translator.report(error, skip_references=True)
