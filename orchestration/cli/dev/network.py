"""The address on which the UI listens: checked before anything starts."""

from __future__ import annotations

import errno
import ipaddress
import socket

from orchestration.cli.errors import PortInUseError, RemoteHostError


def check_host(host: str, *, allow_remote: bool) -> str | None:
    """None if only this machine can reach the address; else, if it is allowed, a warning.

    Raises:
        RemoteHostError: other machines can reach it, and that was not asked for.
    """
    if is_loopback(host):
        return None
    if not allow_remote:
        raise RemoteHostError(
            f"other machines can reach the address `{host}`, and Dagster's UI asks nobody who they"
            " are: whoever opens it can start jobs",
            help="leave --host out, put a proxy that authenticates in front of it, or add"
            " --allow-remote if the network is yours alone",
        )
    return f"the UI has no authentication, and other machines can reach it through {host}"


def is_loopback(host: str) -> bool:
    """Whether the host is an address of this machine that only this machine can reach."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def claim_port(host: str, port: int) -> int:
    """The port, once it is known to be free; a free one for port 0.

    Raises:
        PortInUseError: another process listens there, or the address may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise _refusal(host, port, error) from error
        return int(probe.getsockname()[1])


def display_url(host: str, port: int) -> str:
    """The address as a person opens it."""
    shown = "localhost" if is_loopback(host) else f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


def reachable(host: str) -> str:
    """The address through which this machine reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - nothing is bound


def _refusal(host: str, port: int, error: OSError) -> PortInUseError:
    if error.errno == errno.EADDRINUSE:
        reason, cure = f"port {port} is in use", f"try --port {port + 1}"
    else:
        reason = f"`{host}:{port}` cannot be listened on ({error.strerror})"
        cure = "choose an address of this machine with --host, and a --port above 1023"
    return PortInUseError(reason, help=f"{cure}, or stop the program that has it")
