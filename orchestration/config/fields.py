"""The types of the fields in the files, and how they read values that came out of references."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from orchestration.config.scalars import read_plain
from orchestration.domain.durations import parse_duration

if TYPE_CHECKING:
    from orchestration.domain.events import JsonValue

LONGEST_SECONDS = 3650 * 86_400
DURATION_ERROR = "duration"
DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?[smhd])+$|\$\{"


class FromReference(str):
    """A text that came out of `${NAME}`: where a number is wanted, it is read as one."""

    __slots__ = ()


class FileModel(BaseModel):
    """A mapping in a file: unknown keys are refused, and nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _read_reference(value: JsonValue) -> JsonValue:
    return read_plain(value)[0] if isinstance(value, FromReference) else value


def _read_generation(value: JsonValue) -> JsonValue:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _read_signals(value: JsonValue) -> JsonValue:
    value = _read_reference(value)
    if isinstance(value, bool):
        return list(SIGNALS) if value else []
    return _read_list(value)


def _read_list(value: JsonValue) -> JsonValue:
    return [value] if isinstance(value, str) else value


def _read_duration(value: Any) -> timedelta:
    try:
        return parse_duration(value)
    except TypeError:
        raise PydanticCustomError(DURATION_ERROR, "it has no unit") from None
    except ValueError as error:
        raise PydanticCustomError(DURATION_ERROR, "{reason}", {"reason": str(error)}) from None


Text = Annotated[str, Field(min_length=1)]
Texts = list[str]
Patterns = list[Text]
TextMap = dict[str, str]
FreeMap = dict[str, Any]
Flag = Annotated[bool, BeforeValidator(_read_reference)]
Count = Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(_read_reference)]
Keys = Annotated[int, Field(ge=1, le=10_000_000), BeforeValidator(_read_reference)]
Retries = Annotated[int, Field(ge=0, le=1000), BeforeValidator(_read_reference)]
ExitCode = Annotated[int, Field(ge=1, le=255), BeforeValidator(_read_reference)]
Seconds = Annotated[float, Field(ge=0, le=LONGEST_SECONDS), BeforeValidator(_read_reference)]
WholeSeconds = Annotated[int, Field(ge=1, le=LONGEST_SECONDS), BeforeValidator(_read_reference)]
Generation = Annotated[
    Text,
    BeforeValidator(_read_generation),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"type": "integer"}]}),
]
SignalName = Literal[
    "SIGABRT",
    "SIGALRM",
    "SIGBUS",
    "SIGFPE",
    "SIGHUP",
    "SIGILL",
    "SIGKILL",
    "SIGPIPE",
    "SIGPROF",
    "SIGQUIT",
    "SIGSEGV",
    "SIGSYS",
    "SIGTRAP",
    "SIGUSR1",
    "SIGUSR2",
    "SIGVTALRM",
    "SIGXCPU",
    "SIGXFSZ",
]
SIGNALS: tuple[SignalName, ...] = get_args(SignalName)
"""The signals that end a process, but SIGINT and SIGTERM, by which a job is told to stop."""
Signals = Annotated[
    list[SignalName],
    BeforeValidator(_read_signals),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "boolean"},
                {"enum": list(SIGNALS)},
                {"type": "array", "items": {"enum": list(SIGNALS)}},
            ]
        }
    ),
]
PriorityName = Literal["low", "normal", "high", "critical"]
Multiplier = Annotated[float, Field(ge=1, le=1000), BeforeValidator(_read_reference)]
Argv = Annotated[list[str], Field(min_length=1)]
Crons = Annotated[
    list[Text],
    Field(min_length=1),
    BeforeValidator(_read_list),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        }
    ),
]
Duration = Annotated[
    timedelta,
    PlainValidator(_read_duration),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["90s", "1h30m"]}),
]
NOT_GIVEN = timedelta(0)
"""The value of a duration that the file does not give."""
