"""Talks to a running `dagster code-server`: load the files anew, and what loading them said.

Uses gRPC without Dagster's client, whose import takes over a second. The two messages have one
text field at most, so the well-known types of protobuf read them (`dagster_api.proto` of 1.13).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from pathlib import Path

_SERVICE = "/api.DagsterApi"


class CodeServerUnreachableError(Exception):
    """The code server does not answer, or not in time: then it `is_busy`."""

    def __init__(self, reason: str, *, is_busy: bool = False) -> None:
        super().__init__(reason)
        self.is_busy = is_busy


class _Channel(Protocol):
    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[bytes], bytes],
        response_deserializer: Callable[[bytes], bytes],
    ) -> Callable[..., bytes]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeServer:
    """A code server that listens on the Unix socket `socket`."""

    socket: Path

    def reload(self, timeout: timedelta) -> None:
        """Loads the files anew; returns when the new definitions are served.

        Raises:
            CodeServerUnreachableError: there is no answer within `timeout`.
        """
        self._call("ReloadCode", timeout)

    def load_error(self, timeout: timedelta) -> str | None:
        """What went wrong in the last load, None if it went well.

        Raises:
            CodeServerUnreachableError: there is no answer within `timeout`.
        """
        from google.protobuf.wrappers_pb2 import StringValue

        reply = StringValue.FromString(self._call("ListRepositories", timeout))
        return parse_load_error(reply.value)

    def check(self, timeout: timedelta) -> None:
        """Returns when the process that serves the definitions answers: it is another one than the
        process that listens, which may outlive it.

        Raises:
            CodeServerUnreachableError: there is no answer within `timeout`.
        """
        self._call("GetServerId", timeout)

    def _call(self, method: str, timeout: timedelta) -> bytes:
        import grpc

        channel = cast("_Channel", grpc.insecure_channel(f"unix:{self.socket.absolute()}"))  # pyright: ignore[reportUnknownMemberType]  # grpc has no types
        try:
            call = channel.unary_unary(f"{_SERVICE}/{method}", bytes, bytes)
            return call(b"", timeout=timeout.total_seconds())
        except grpc.RpcError as error:
            is_busy = cast("grpc.Call", error).code() == grpc.StatusCode.DEADLINE_EXCEEDED
            raise CodeServerUnreachableError(str(error), is_busy=is_busy) from error
        finally:
            channel.close()


def parse_load_error(serialized: str) -> str | None:
    """The message in a `ListRepositories` reply, innermost cause first; None if it is no error."""
    reply = json.loads(serialized)
    if reply["__class__"] != "SerializableErrorInfo":
        return None
    while reply.get("cause"):
        reply = reply["cause"]
    return str(reply["message"]).strip()
