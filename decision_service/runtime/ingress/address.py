"""The public address: taken before anything else starts, and proven to lead to this very service."""

from __future__ import annotations

import http.client
import socket

import psutil

from decision_service.runtime.errors import StartRefused
from decision_service.runtime.ingress.identity import HEADER

_ANSWERS_WITHIN_S = 5.0


def take_address(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address; port 0 takes a free port.

    The ingress makes the socket listen. So nobody is connected before somebody answers.

    Raises
    ------
    StartRefused
        When the address is taken, not permitted, or not of this machine. The message names the process on the port,
        if it can be seen.
    """
    address = socket.socket()
    try:
        address.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        address.bind((host, port))
        address.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)  # nobody else can bind it any more
    except PermissionError:
        address.close()
        raise StartRefused(f"--port: {port} may only be used by the superuser; choose one above 1023") from None
    except OSError as error:
        address.close()
        raise _refuse(host, port) from error
    return address


def prove(host: str, port: int, identity: str) -> None:
    """Ask the public address who answers there.

    Raises
    ------
    StartRefused
        When nobody answers, or another service.
    """
    seen = find_identity(http.client.HTTPConnection(host, port, timeout=_ANSWERS_WITHIN_S))
    if seen != identity:
        who = "nobody answers" if seen is None else "another service answers"
        raise StartRefused(f"--host: {who} at {host}:{port}, which this service has taken; use 127.0.0.1")


def find_identity(connection: http.client.HTTPConnection) -> str | None:
    """Return the identity of the run that answers ``GET /healthz`` with 200, or None."""
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        return response.headers[HEADER] if response.status == http.HTTPStatus.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float = _ANSWERS_WITHIN_S) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _refuse(host: str, port: int) -> StartRefused:
    try:
        with socket.socket() as other:
            other.bind((host, 0))
    except OSError:
        return StartRefused(f"--host: {host} is no address of this machine; use 127.0.0.1")
    return StartRefused(f"--port: {host}:{port} is taken{_describe_owner(port)}; choose another port")


def _describe_owner(port: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
        pids = {c.pid for c in connections if c.laddr and c.laddr.port == port and c.status == psutil.CONN_LISTEN}
        pid = next(pid for pid in pids if pid)
        return f" by {psutil.Process(pid).name()} (process {pid})"
    except (psutil.Error, StopIteration):
        return ""
