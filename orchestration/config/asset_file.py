"""The shape of a file with an asset definition: what the records of an asset look like."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from orchestration.config.fields import FileModel, Flag, Text
from orchestration.domain.records import FieldType  # noqa: TC001 - pydantic reads it

_SYNONYMS: dict[str, FieldType] = {
    "text": "string",
    "varchar": "string",
    "int": "integer",
    "bigint": "integer",
    "long": "integer",
    "double": "number",
    "float": "number",
    "decimal": "number",
    "bool": "boolean",
    "datetime": "timestamp",
    "bytes": "binary",
    "json": "object",
    "map": "object",
    "struct": "object",
    "list": "array",
}


def _read_type(value: Any) -> Any:
    return _SYNONYMS.get(value.lower(), value.lower()) if isinstance(value, str) else value


class InactiveFieldKeys(FileModel):
    """Keys of a field that are accepted so that existing files load unchanged."""

    business_name: Any = Field(default=None, alias="businessName")
    classification: Any = None
    constraints: Any = None
    custom_properties: Any = Field(default=None, alias="customProperties")
    examples: Any = None
    logical_type: Any = Field(default=None, alias="logicalType")
    physical_name: Any = Field(default=None, alias="physicalName")
    physical_type: Any = Field(default=None, alias="physicalType")
    primary_key: Any = Field(default=None, alias="primaryKey")
    quality: Any = None
    tags: Any = None
    unique: Any = None


class AssetField(InactiveFieldKeys):
    """A field of the records."""

    name: Text = Field(description="The name of the field, as the source has it.")
    type: Annotated[FieldType, BeforeValidator(_read_type)] = Field(
        description="What its values are. Other usual words are understood: `bigint`, `double`, "
        "`bool`, `text`, `datetime`, `json`."
    )
    required: Flag = Field(default=False, description="Whether each record has a value for it.")
    description: str = Field(
        default="", description="What it means, for people: becomes the comment of the column."
    )


class InactiveAssetKeys(FileModel):
    """Keys of a definition that are accepted so that existing files load unchanged."""

    change_management: Any = None
    compliance: Any = None
    data_quality: Any = None
    finops: Any = None
    governance: Any = None
    retention: Any = None
    sla: Any = None
    target: Any = None


class LabelKeys(FileModel):
    """Keys of a definition that only say what it is."""

    schema_url: Any = Field(default=None, alias="$schema")
    api_version: Any = Field(default=None, alias="apiVersion")
    contract_created: Any = Field(default=None, alias="contractCreatedTs")
    data_product: Any = Field(default=None, alias="dataProduct")
    description: Any = None
    domain: Any = None
    id: Any = None
    kind: Any = None
    lineage: Any = None
    name: Any = None
    object: Any = None
    source_type: Any = None
    status: Any = None
    tags: Any = None
    team: Any = None
    tenant: Any = None
    version: Any = None


class AssetFile(InactiveAssetKeys, LabelKeys):
    """What the records of an asset look like."""

    columns: Annotated[list[AssetField], Field(min_length=1)] | None = Field(
        default=None, alias="fields", description="The fields that records have. Others may come."
    )
    origin_columns: Annotated[list[AssetField], Field(min_length=1)] | None = Field(
        default=None, alias="schema", description="Another spelling of `fields`."
    )


class NestedAssetFile(FileModel):
    """A definition below the key `asset`, as older files have it."""

    asset: AssetFile


def _keys(model: type[FileModel]) -> frozenset[str]:
    return frozenset(field.alias or name for name, field in model.model_fields.items())


INACTIVE_ASSET_KEYS = _keys(InactiveAssetKeys)
INACTIVE_FIELD_KEYS = _keys(InactiveFieldKeys)
LABEL_KEYS = _keys(LabelKeys)
