"""The TCP ports of a service: the HTTP port of the settings, and three free internal ports."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import msgspec
import psutil

from decision_service.runtime.errors import StartRefused

# Below the ephemeral ports (32768 and up), which the system and Ray take at any moment, and below the ports of
# Serve's replicas (30000 and up). So a port that is free when it is chosen is still free when it is bound.
_INTERNAL = range(20_000, 30_000)


class Ports(msgspec.Struct, frozen=True):
    """The ports of one service, all on loopback."""

    http: int
    stats: int
    metrics: int
    fallback: int


def choose(host: str, port: int) -> Ports:
    """Return the HTTP port of the settings (0: a free one) and free ports for the use of HAProxy and Ray.

    Raises
    ------
    StartRefused
        When the HTTP port is taken or not permitted. The message names the process on the port, if it can be seen.
    """
    http = port or _find_ephemeral_port(host)
    _check_http_port(host, http)
    internal = _find_free_ports(host, http)
    return Ports(http, next(internal), next(internal), next(internal))


def _check_http_port(host: str, port: int) -> None:
    try:
        _bind(host, port)
    except PermissionError:
        raise StartRefused(f"--port: {port} may only be used by the superuser; choose one above 1023") from None
    except OSError as error:
        owner = _describe_owner(port)
        raise StartRefused(f"--port: {host}:{port} is taken{owner}; choose another port") from error


def _bind(host: str, port: int) -> int:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        listener.bind((host, port))
        return int(listener.getsockname()[1])


def _find_ephemeral_port(host: str) -> int:
    return _bind(host, 0)


def _find_free_ports(host: str, http: int) -> Iterator[int]:
    start = 3 * http % len(_INTERNAL)  # services on neighbouring HTTP ports get different ports
    for offset in range(len(_INTERNAL)):
        port = _INTERNAL[(start + offset) % len(_INTERNAL)]
        if port != http and _is_free(host, port) and _is_free("127.0.0.1", port):
            yield port
    raise StartRefused(f"ports: none is free between {_INTERNAL.start} and {_INTERNAL.stop}")


def _is_free(host: str, port: int) -> bool:
    try:
        _bind(host, port)
    except OSError:
        return False
    return True


def _describe_owner(port: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
        pids = {c.pid for c in connections if c.laddr and c.laddr.port == port and c.status == psutil.CONN_LISTEN}
        pid = next(pid for pid in pids if pid)
        return f" by {psutil.Process(pid).name()} (process {pid})"
    except (psutil.Error, StopIteration):
        return ""
